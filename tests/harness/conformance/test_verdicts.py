"""From results to verdicts: what counts as broken, what is blocked, and what ends a run badly."""

from __future__ import annotations

import json

import pytest

from collector_harness.conformance.rendering import explain, render_verdicts
from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.verdicts import (
    CaseResult,
    RequirementVerdict,
    Verdict,
    Verdicts,
    decide,
)
from collector_harness.errors import ExitCode, InvalidInput, Position
from collector_harness.events import Failure, Mismatch, Outcome
from collector_harness.reports.lines import plain

PASSED, FAILED, CRASHED, ERROR = Outcome.PASSED, Outcome.FAILED, Outcome.CRASHED, Outcome.ERROR


def result(outcome: Outcome | None, message: str = "it was otherwise", **given) -> CaseResult:
    failed = outcome not in (PASSED, None)
    return CaseResult(
        case="X.scenario.yaml::x",
        source="X.scenario.yaml",
        outcome=outcome,
        failure=Failure(message=message) if failed else None,
        **given,
    )


def judged(
    results: dict[str, list[CaseResult]], selected: set[str] | None = None
) -> dict[str, RequirementVerdict]:
    decided = decide(
        results,
        selected=frozenset(results if selected is None else selected),
        catalogue=catalogue(),
        target="exec:my collector",
        seed=7,
    )
    return {each.requirement.id: each for each in decided}


def verdicts(results: dict[str, list[CaseResult]], selected: set[str] | None = None) -> Verdicts:
    return Verdicts(
        suite_version="1",
        target="exec:my collector",
        seed=7,
        requirements=tuple(judged(results, selected).values()),
        uncovered=("WIR-001",),
        seconds=1.5,
        calls=12,
    )


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([PASSED], Verdict.PASS),
        ([PASSED, PASSED], Verdict.PASS),
        ([PASSED, FAILED], Verdict.FAIL),
        ([CRASHED, FAILED], Verdict.FAIL),
        ([ERROR, CRASHED], Verdict.TARGET_CRASHED),
        ([PASSED, ERROR], Verdict.HARNESS_ERROR),
        ([PASSED, None], Verdict.HARNESS_ERROR),
        ([], Verdict.UNSUPPORTED),
    ],
)
def test_the_firmest_finding_of_the_cases_is_the_verdict(outcomes, expected):
    assert judged({"SRV-001": [result(each) for each in outcomes]})["SRV-001"].verdict is expected


def test_a_case_that_was_not_run_keeps_its_requirement_from_passing():
    cases = [result(PASSED), result(None, unsupported="it has no probe service")]
    found = judged({"SRV-001": cases})["SRV-001"]
    assert (found.verdict, found.reason) == (Verdict.UNSUPPORTED, "it has no probe service")


def test_a_missing_result_names_its_case():
    assert judged({"SRV-001": [result(None)]})["SRV-001"].reason == (
        "there is no result of X.scenario.yaml::x"
    )


@pytest.mark.parametrize("own", [PASSED, FAILED, CRASHED, ERROR, None])
def test_what_builds_on_a_breach_is_blocked_whatever_its_own_cases_say(own):
    found = judged({"DSP-004": [result(FAILED)], "DSP-010": [result(own)]})["DSP-010"]
    assert found.verdict is Verdict.BLOCKED
    assert found.blocked_by == ("DSP-004",)
    assert found.reason == "builds on DSP-004, which is broken"


def test_a_breach_far_below_blocks_and_is_the_only_finding():
    """Of DSP-001 nothing was run; what connects WIR-003 with DSP-007 is the catalogue."""
    found = judged({key: [result(FAILED)] for key in ("WIR-003", "SRV-001", "DSP-007", "DSP-003")})
    assert {key: each.verdict for key, each in found.items()} == {
        "WIR-003": Verdict.FAIL,
        "SRV-001": Verdict.BLOCKED,
        "DSP-003": Verdict.BLOCKED,
        "DSP-007": Verdict.BLOCKED,
    }


@pytest.mark.parametrize("unknown", [ERROR, None])
def test_a_fault_of_the_harness_blocks_nothing(unknown):
    found = judged({"DSP-004": [result(unknown)], "DSP-010": [result(PASSED)]})
    assert found["DSP-010"].verdict is Verdict.PASS


def test_what_was_not_selected_is_deselected_even_above_a_breach():
    found = judged({"DSP-004": [result(FAILED)], "DSP-010": [result(None)]}, selected={"DSP-004"})
    assert found["DSP-010"].verdict is Verdict.DESELECTED


def test_verdicts_come_in_the_order_of_the_catalogue():
    given = {key: [result(PASSED)] for key in ("ISO-002", "WIR-006", "DSP-003", "WIR-010")}
    assert list(judged(given)) == ["WIR-010", "WIR-006", "DSP-003", "ISO-002"]


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ({"DSP-003": [result(PASSED)]}, ExitCode.OK),
        ({"DSP-003": [result(FAILED)]}, ExitCode.FAILED),
        ({"DSP-003": [result(CRASHED)]}, ExitCode.FAILED),
        ({"DSP-003": [result(ERROR)]}, ExitCode.INTERNAL_FAULT),
        ({"DSP-003": [result(None)]}, ExitCode.INTERNAL_FAULT),
        ({"DSP-003": [result(FAILED)], "ISO-002": [result(ERROR)]}, ExitCode.FAILED),
        ({"DSP-003": [result(None, unsupported="no")]}, ExitCode.NOTHING_RAN),
        ({"DSP-015": [result(FAILED)], "DSP-003": [result(PASSED)]}, ExitCode.OK),
        ({"DSP-015": [result(CRASHED)]}, ExitCode.OK),
        ({"DSP-015": [result(ERROR)]}, ExitCode.INTERNAL_FAULT),
    ],
)
def test_the_exit_code_tells_a_breach_from_a_fault_and_from_nothing(results, code):
    assert verdicts(results).exit_code is code


def test_only_deselected_requirements_are_no_success():
    assert verdicts({"DSP-003": [result(PASSED)]}, set()).exit_code is ExitCode.NOTHING_RAN


def test_a_result_is_json_with_evidence_and_a_line_to_paste():
    failure = Failure(
        message="handled_by was otherwise",
        position=Position(source="DSP-003.scenario.yaml", line=9, column=5, text="    expect: x"),
        mismatches=(Mismatch(path="handled_by", expected="hub", actual="peer"),),
        answer={"handled_by": "peer"},
    )
    case = CaseResult(case="c", source="s", outcome=FAILED, failure=failure, seconds=0.25)
    document = json.loads(json.dumps(verdicts({"DSP-003": [case]}).as_json()))
    assert document["suite"] == {
        "version": "1",
        "covered": 1,
        "uncovered": ["WIR-001"],
        "as_of": None,
    }
    assert (document["target"], document["exit_code"]) == ("exec:my collector", 1)
    assert document["totals"]["fail"] == 1
    assert set(document["totals"]) == {verdict.value for verdict in Verdict}
    (found,) = document["requirements"]
    assert (found["id"], found["level"], found["verdict"]) == ("DSP-003", "MUST", "fail")
    assert found["reproduce"] == "collector-harness verify 'exec:my collector' -k DSP-003 --seed 7"
    evidence = found["cases"][0]["evidence"]
    assert evidence["mismatches"] == [{"path": "handled_by", "expected": "hub", "actual": "peer"}]
    assert evidence["position"]["line"] == 9


def test_a_finding_shows_what_was_expected_what_came_where_and_how_to_see_it_again():
    failure = Failure(
        message="the answer is not what was expected",
        position=Position(
            source="DSP-003.scenario.yaml", line=9, column=13, text="    expect: {handled_by: hub}"
        ),
        mismatches=(Mismatch(path="handled_by", expected="hub", actual="peer"),),
        answer={"handled_by": "peer"},
        logs={"hub": "WARNING odd\x1b[31m"},
    )
    case = CaseResult(case="c", source="s", outcome=FAILED, failure=failure)
    text = plain(render_verdicts(verdicts({"DSP-003": [case]})))
    for part in (
        "DSP-003  fail  MUST  Automatic: a local handler first",
        "--> DSP-003.scenario.yaml:9:13",
        "- expected hub",
        "+ was      peer",
        "| WARNING odd",
        "verdict on exec:my collector: 1 fail",
        "DSP-003  MUST   fail           handled_by: expected hub, was peer",
    ):
        assert part in text
    assert "\x1b" not in text


def test_the_matrix_has_a_row_for_each_family_within_80_columns():
    found = {"DSP-004": [result(FAILED)], "DSP-002": [result(PASSED)], "REG-001": [result(PASSED)]}
    lines = plain(render_verdicts(verdicts(found))).splitlines()
    assert lines[0].split() == ["REG", "the", "registry", ".", "1", "of", "1", "pass"]
    assert lines[1].split() == ["DSP", "dispatching", ".F", "1", "of", "2", "pass"]
    assert lines[2] == "  . pass   F fail"
    assert max(len(each) for each in lines[:3]) < 80
    many = {f"DSP-{number:03}": [result(PASSED)] for number in range(1, 17)}
    assert "." * 16 in plain(render_verdicts(verdicts(many)))


def test_what_is_not_met_has_a_line_that_says_why_and_what_blocks():
    text = plain(
        render_verdicts(verdicts({"DSP-004": [result(FAILED)], "DSP-010": [result(PASSED)]}, None))
    )
    assert "  DSP-010  MUST   blocked        builds on DSP-004, which is broken\n" in text


def test_deselected_requirements_are_shown_on_demand():
    found = verdicts({"DSP-004": [result(PASSED)], "DSP-010": [result(None)]}, {"DSP-004"})
    assert "DSP-010" not in plain(render_verdicts(found))
    assert "1 of 1 pass" in plain(render_verdicts(found))
    assert "DSP-010" in plain(render_verdicts(found, whole=True))


def test_a_broken_should_says_that_it_fails_nothing():
    text = plain(render_verdicts(verdicts({"DSP-015": [result(FAILED)]})))
    assert "1 SHOULD broken: reported, and no failure" in text


def test_a_requirement_is_explained_with_its_source_and_prerequisites():
    text = explain("DSP-010")
    assert "DSP-010  MUST  Automatic: a handler that ran and failed is not run again" in text
    assert "source: N, learnt from a defect" in text
    assert "builds on: DSP-004" in text


@pytest.mark.parametrize(
    ("key", "note"),
    [
        ("OPS-005", "it needs a target that the harness can launch"),
        ("OPS-006", "it can be seen only through the Python API"),
        ("FLT-004", "it is checked against a limit that the target declares"),
    ],
)
def test_how_a_requirement_can_be_seen_is_explained(key, note):
    assert f"  note: {note}\n" in explain(key)


def test_an_unknown_requirement_is_not_explained():
    with pytest.raises(InvalidInput, match="there is no requirement"):
        explain("DSP-999")
