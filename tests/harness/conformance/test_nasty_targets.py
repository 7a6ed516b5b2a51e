"""Whatever a target does, the harness ends in time, and says what it saw."""

from __future__ import annotations

import time

import pytest

from collector_harness.conformance.verdicts import Verdict
from collector_harness.errors import ExitCode, TargetFailed

LISTS = """\
version: 1
scenario: it lists again and again
requirements: [REG-010]
topology: {nodes: {hub: {namespaces: [shop]}}}
steps: [{repeat: 6, list: shop}]
"""
LINKED = """\
version: 1
scenario: it is linked
requirements: [DSP-004]
topology:
  nodes: {hub: {namespaces: [shop]}, east: {collector: reference, namespaces: [shop]}}
  links: [hub -> east]
steps: [{list: shop, via: hub}]
"""


@pytest.fixture
def nasty(program):
    return lambda kind: program("tests/harness/conformance/strangers/nasty.py", kind)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("garbage", "before it was ready"), ("unlisted", "not healthy"), ("mute", "not healthy")],
)
def test_a_program_that_is_no_collector_gets_no_verdict_and_its_last_words_are_told(
    judge, nasty, kind, said
):
    begin = time.monotonic()
    with pytest.raises(TargetFailed, match=said) as caught:
        judge(nasty(kind), patterns=["REG-010"])
    assert time.monotonic() - begin < 40
    assert "\x00" not in str(caught.value)


def test_a_program_that_is_never_ready_and_ignores_sigterm_is_ended(judge, nasty):
    begin = time.monotonic()
    with pytest.raises(TargetFailed, match="did not print its ready line"):
        judge(nasty("stubborn"), patterns=["REG-010"])
    assert time.monotonic() - begin < 40


def test_a_collector_that_floods_both_streams_is_judged_as_any_other(judge, nasty):
    verdicts = judge(nasty("flooding"), patterns=["REG-010"])
    assert verdicts["REG-010"].verdict is Verdict.PASS


def test_a_collector_that_dies_in_a_case_has_crashed_there(judge, nasty, tmp_path):
    (tmp_path / "x.scenario.yaml").write_text(LISTS)
    verdicts = judge(nasty("mortal"), suite=tmp_path)
    found = verdicts["REG-010"]
    assert found.verdict is Verdict.TARGET_CRASHED
    assert "oh dear" in str(found.cases[0].failure)
    assert verdicts.exit_code is ExitCode.FAILED


def test_a_collector_that_lives_and_makes_no_link_has_failed_and_not_crashed(
    judge, nasty, tmp_path
):
    (tmp_path / "x.scenario.yaml").write_text(LINKED)
    found = judge(nasty("aloof"), suite=tmp_path)["DSP-004"]
    assert found.verdict is Verdict.FAIL
    assert "has no connection" in found.reason or "is not up" in found.reason
