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
    installation, tmp_path: Path, target: str | None
) -> None:
    script = installation.script("collector-harness")
    options = () if target is None else ("--target", target)

    made = run(tmp_path, script, "init", *options, "mine")

    assert made.returncode == 0, made.stdout + made.stderr
    folder = tmp_path / "mine"
    assert "next:\n  cd mine\n" in made.stdout
    commands = jobs_of(folder)
    assert len(commands) == 2
    for command in commands:
        words = command.split()
        if words[0] == "python":
            words[0] = str(installation.python)
        else:
            words[0] = str(script)
        if "verify" in words:
            words += ["-k", "SRV-001", "-k", "DSP-004"]  # the whole suite has tests of its own
        done = run(folder, *words)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert "pass" in done.stdout or "all well" in done.stdout
