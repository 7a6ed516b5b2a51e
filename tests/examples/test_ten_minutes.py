"""The commands that lead an author from nothing to a verdict do, in the order of the page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = "docs/verify-your-collector.md"
TOOLS = {"go-collector": "go", "node-collector": "npm"}


def commands(page: str) -> list[str]:
    """The commands of the section, but for those that install into the environment of the tests."""
    section = page.partition("## From nothing to a verdict")[2].partition("\n## ")[0]
    lines = re.findall(r"^\$ (.*?)(?: +# .*)?$", section, re.MULTILINE)
    return [line for line in lines if not line.startswith("pip install")]


@pytest.mark.parametrize("example", ["go-collector", "node-collector", "grpclib-collector"])
def test_an_author_gets_from_nothing_to_a_verdict(
    example: str, repository: Path, tmp_path: Path
) -> None:
    tool = TOOLS.get(example)
    if tool is not None and shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    left_out = shutil.ignore_patterns("node_modules", "__pycache__")
    shutil.copytree(
        repository / "examples" / example, tmp_path / "examples" / example, ignore=left_out
    )
    ran = [line for line in commands((repository / PAGE).read_text()) if example in line]
    assert ran[-1].startswith("collector-harness ")
    # A new skeleton is verified by the file in it; the whole suite has tests of its own.
    ran += ["cd my-collector", "collector-harness verify target.yaml -k SRV-001"] * any(
        " init " in line for line in ran
    )
    script = "\n".join(
        f"{line} -k SRV-001" if " verify " in line and "-k" not in line else line for line in ran
    )
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "npm error code E" in done.stderr or "dial tcp" in done.stderr:
        pytest.skip(f"what {tool} needs cannot be had: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("3 pass") == sum(" verify " in line for line in ran)


def test_the_page_verifies_all_three(repository: Path) -> None:
    told = "\n".join(commands((repository / PAGE).read_text()))
    for example in ("go-collector", "node-collector", "grpclib-collector"):
        assert re.search(rf"verify .*examples/{example}", told)
