"""Every mutant is caught by the case of its own requirement, and accused of nothing else."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.suite import load_suite
from collector_harness.conformance.verdicts import Verdict
from collector_harness.errors import ExitCode

CRASHES = {"glass-jaw"}
"""Mutants that break their requirement by dying."""


def test_every_requirement_of_the_suite_has_a_mutant(mutants, library_mutants):
    broken = [mutant["breaks"] for mutant in (mutants | library_mutants).values()]
    assert set(broken) == load_suite(catalogue=catalogue()).covered


def test_an_unknown_mutant_is_told_which_there_are(repository):
    ended = subprocess.run(
        [sys.executable, repository / "tests/mutants/run.py", "nobody"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "there is no mutant 'nobody'; there are: " in ended.stderr
    assert "tidy-postman" in ended.stderr


@pytest.mark.usefixtures("nothing_built_upon")
def test_a_mutant_is_caught_by_the_cases_of_its_requirement(
    mutant, mutants, program, judge, by_verdict
):
    breaks = mutants[mutant]["breaks"]
    target = program("tests/mutants/run.py", mutant)
    verdicts = judge(target, declares=mutants[mutant], patterns=[breaks])
    found = by_verdict(verdicts)

    expected = Verdict.TARGET_CRASHED if mutant in CRASHES else Verdict.FAIL
    assert found.pop(expected) == {breaks}
    found.pop(Verdict.PASS, None)
    found.pop(Verdict.DESELECTED, None)
    assert found == {}

    # What it declares and does not show is a finding too, whatever the level.
    must = catalogue()[breaks].level == "MUST" or verdicts.findings
    assert verdicts.exit_code is (ExitCode.FAILED if must else ExitCode.OK)
    finding = verdicts[breaks]
    failures = [case.failure for case in finding.cases if case.failure]
    assert failures
    for failure in failures:
        assert failure.position is not None
        assert re.search(rf"/{breaks}(-\w+)?\.scenario\.yaml$", failure.position.source)
        assert failure.mismatches or mutant in CRASHES
        assert failure.logs["hub"]
        assert failure.reproduce.endswith(f" -k {breaks} --seed {verdicts.seed}")


@pytest.mark.parametrize("name", ["anonymous", "hermit"])
def test_what_builds_on_a_breach_is_blocked_and_no_finding_of_its_own(
    name, mutants, program, judge, by_verdict
):
    breaks = mutants[name]["breaks"]
    above = [each.id for each in catalogue() if breaks in each.builds_on]
    covered = load_suite(catalogue=catalogue()).covered
    target = program("tests/mutants/run.py", name)
    verdicts = judge(target, patterns=[key for key in above if key in covered][:2])
    found = by_verdict(verdicts)
    assert found[Verdict.FAIL] == {breaks}
    assert set(above) & found[Verdict.BLOCKED]
