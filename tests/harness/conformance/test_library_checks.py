"""What only the Python API shows: the reference meets it, and each mutant is caught by the check
of its own requirement.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collector_harness.conformance.lib.by_hand import python_line
from collector_harness.conformance.lib.checks import library_cases
from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.suite import load_suite
from collector_harness.conformance.verdicts import Verdict
from collector_harness.conformance.verify import verify
from collector_harness.targets import Reference, parse_target

LIBRARY = sorted(each.id for each in catalogue() if "lib" in each.marks)


@pytest.fixture
def repository_modules(monkeypatch, repository):
    """Has modules in tests/mutants found by their names, as targets name them."""
    monkeypatch.syspath_prepend(repository / "tests/mutants")


def test_every_requirement_has_a_case_or_a_library_check():
    assert load_suite(catalogue=catalogue()).covered == {each.id for each in catalogue()}
    assert LIBRARY == ["CNC-003", "OPS-006", "SRV-006"]


@pytest.mark.parametrize("requirement", [*LIBRARY, "LOOP-001"])
@pytest.mark.parametrize("target", ["reference", "python:collector_reference:Collector"])
def test_the_reference_meets(target, requirement):
    verdicts = asyncio.run(verify(parse_target(target), patterns=[requirement]))
    assert verdicts[requirement].verdict is Verdict.PASS
    assert any(case.source.endswith(".py") for case in verdicts[requirement].cases)
    assert {each.verdict for each in verdicts.requirements} <= {Verdict.PASS, Verdict.DESELECTED}


@pytest.mark.parametrize("requirement", LIBRARY)
def test_a_process_cannot_show(program, judge, requirement):
    verdicts = judge(program("tests/mutants/run.py", "anonymous"), patterns=[requirement])
    assert verdicts[requirement].verdict in (Verdict.UNSUPPORTED, Verdict.BLOCKED)


@pytest.mark.usefixtures("repository_modules")
def test_a_mutant_is_caught_by_the_check_of_its_requirement(
    library_mutant, library_mutants, judge, repository
):
    mutant = library_mutants[library_mutant]
    verdicts = judge(f"python:library:{mutant['makes']}", patterns=[mutant["breaks"]])
    found = {each.requirement.id: each for each in verdicts.requirements}
    failed = {key for key, each in found.items() if each.verdict is Verdict.FAIL}
    assert failed == {mutant["breaks"]}
    failures = [case.failure for case in found[mutant["breaks"]].cases if case.failure]
    assert failures
    for failure in failures:
        assert "/conformance/lib/" in failure.position.source
        assert failure.mismatches
        assert f" -k {mutant['breaks']} --seed {verdicts.seed}" in failure.reproduce
        shown = _by_hand(failure.by_hand, repository)
        assert shown.returncode == 1, shown.stdout + shown.stderr
        assert ", and has to be " in shown.stdout
        assert "Traceback" not in shown.stderr


@pytest.mark.parametrize("case", library_cases(), ids=lambda each: each.title)
def test_by_hand_the_reference_shows_no_breach(case, repository):
    line = python_line(Reference(), case.by_hand, settings=case.settings)
    shown = _by_hand(line, repository)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert ", and has to be " in shown.stdout


def _by_hand(line, repository):
    """Runs a line as somebody would paste it, where modules in tests/mutants are found."""
    assert line.isprintable()
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    return subprocess.run(
        ["bash", "-c", line],
        cwd=repository / "tests/mutants",
        env={**os.environ, "PATH": os.pathsep.join(folders)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
