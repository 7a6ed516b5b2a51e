"""What `init` writes passes at once, in an environment that holds the built wheel only."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "PYTHON", "VIRTUAL_ENV", "COLLECTOR_"))
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def jobs_of(folder: Path) -> list[str]:
    """The commands of the workflow, but for those that install."""
    workflow = yaml.safe_load((folder / ".github/workflows/collectors.yml").read_text())
    steps = workflow["jobs"]["test"]["steps"]
    return [step["run"] for step in steps if "run" in step and "pip install" not in step["run"]]


@pytest.mark.parametrize("target", [None, "exec:{executable} -m collector_reference"])
def test_every_command_of_a_fresh_skeleton_and_its_workflow_passes(
    installation, tmp_path: Path, target: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = installation.script("collector-harness")
    options = () if target is None else ("--target", target)

    made = run(tmp_path, script, "init", *options, "mine")

    assert made.returncode == 0, made.stdout + made.stderr
    folder = tmp_path / "mine"
    assert "next:\n  cd mine\n" in made.stdout
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    commands = jobs_of(folder)
    assert len(commands) == (2 if target is None else 3)
    for command in commands:
        # The whole suite has tests of its own.
        narrowed = f"{command} -k SRV-001 -k DSP-004" if " verify " in command else command
        done = run(folder, "bash", "-e", "-c", narrowed)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    if target is not None:
        assert "Every MUST that was verified is met" in (tmp_path / "summary.md").read_text()
        assert "DSP-004" in (folder / "verdict.html").read_text()
