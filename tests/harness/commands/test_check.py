"""`check` tells what is wrong with scenario files, and starts nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]

GOOD = """\
version: 1
scenario: it answers
topology: {nodes: {only: {namespaces: [x], probe: [x]}}}
cases: {a: {n: 1}, b: {n: 2}}
steps:
  - dispatch: x/conformance.Probe.Echo
    via: only
    input: {n: "${case.n}"}
    expect: {status: OK}
"""


def test_files_that_can_be_used_are_counted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.scenario.yaml").write_text(GOOD)
    ended = run("check", ".")
    assert (ended.returncode, ended.stdout) == (0, "1 scenario with 2 cases: all well\n")


def test_every_problem_is_told_with_its_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.scenario.yaml").write_text(
        GOOD.replace("status: OK", "status: OKAY").replace("via: only", "via: onyl")
    )
    (tmp_path / "worse.scenario.yaml").write_text(GOOD.replace("version: 1", "verison: 1"))
    ended = run("check", ".")
    assert ended.returncode == 2
    assert "--> bad.scenario.yaml:7:10\n      7 |     via: onyl\n" in ended.stderr
    assert "did you mean 'only'?" in ended.stderr
    assert "--> bad.scenario.yaml:9:" in ended.stderr
    assert "--> worse.scenario.yaml:1:1\n" in ended.stderr
    assert "did you mean 'version'?" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_nothing_to_check_is_no_success(run: Run) -> None:
    assert run("check", ".").returncode == 4
