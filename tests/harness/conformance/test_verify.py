"""Good collectors pass, a broken set-up is no verdict, and nothing is green by accident."""

from __future__ import annotations

import asyncio
import json

import pytest

from collector_harness.conformance.rendering import render_verdicts
from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.selection import NothingSelected
from collector_harness.conformance.suite import load_suite
from collector_harness.conformance.verdicts import Verdict
from collector_harness.conformance.verify import verify
from collector_harness.errors import ExitCode, InvalidInput, TargetFailed
from collector_harness.events import CaseFinished, RunFinished, RunStarted
from collector_harness.reports.lines import plain
from collector_harness.targets import Reference

SUITE = load_suite(catalogue=catalogue())
WITHOUT_PROBE = {"REG-001", "REG-003", "REG-010", "VAL-003", "LOOP-008", "CON-002"} | {
    "DSP-004",
    "DSP-010",
    "DSP-015",
    "ISO-002",
}
"""What can be seen of a collector that carries no probe service."""


def scenario(step: str, *, key: str = "DSP-004", title: str = "something") -> str:
    return f"""
version: 1
scenario: {title}
requirements: [{key}]
topology: {{nodes: {{hub: {{namespaces: [shop]}}}}}}
steps: [{step}]
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_the_reference_meets_every_requirement_in_process(judge, by_verdict, seed):
    verdicts = judge("reference", seed=seed)
    assert by_verdict(verdicts) == {Verdict.PASS: SUITE.covered}
    assert verdicts.exit_code is ExitCode.OK
    assert verdicts.notices == ()
    assert verdicts.seed == seed
    assert verdicts.calls > 300


def test_the_reference_meets_every_requirement_as_a_process(judge, by_verdict):
    verdicts = judge("exec:{executable} -m collector_reference")
    assert by_verdict(verdicts) == {Verdict.PASS: SUITE.covered}
    assert (verdicts.exit_code, verdicts.notices) == (ExitCode.OK, ())


def test_what_is_not_covered_is_told(judge):
    verdicts = judge("reference", patterns=["SRV-002"])
    every = [requirement.id for requirement in catalogue()]
    assert sorted([*verdicts.uncovered, *SUITE.covered]) == sorted(every)


def test_a_selection_runs_only_what_it_names_and_builds_on(judge, by_verdict):
    events = []
    verdicts = judge("reference", patterns=["DSP-010"], emit=events.append)
    assert by_verdict(verdicts) == {
        Verdict.PASS: {"DSP-010", "DSP-004"},
        Verdict.DESELECTED: SUITE.covered - {"DSP-010", "DSP-004"},
    }
    ran = [event.requirements for event in events if isinstance(event, CaseFinished)]
    assert sorted(ran) == [("DSP-004",), ("DSP-010",)]
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)


def test_the_same_seed_gives_the_same_verdicts_and_documents(judge):
    def document():
        found = judge("reference", seed=3, patterns=["SRV", "REG"]).as_json()
        for requirement in found["requirements"]:
            for case in requirement["cases"]:
                del case["seconds"]
        del found["seconds"]
        return json.loads(json.dumps(found))

    assert document() == document()


def test_a_target_that_ends_at_once_is_no_verdict_and_shows_its_last_words(judge):
    with pytest.raises(TargetFailed, match="no luck today") as caught:
        judge("exec:{executable} -c \"import sys; sys.exit('no luck today')\"")
    assert caught.value.exit_code is ExitCode.TARGET_FAILED


def test_a_target_that_is_no_collector_is_no_verdict(judge, stranger):
    with pytest.raises(TargetFailed, match=r"answers none of the eight RPCs.*\n.*hint:"):
        judge(stranger("only_health"))


def test_a_target_that_dies_of_the_first_calls_is_no_verdict_and_shows_its_log(judge, stranger):
    with pytest.raises(TargetFailed, match=r"status 3(.|\n)*oh dear"):
        judge(stranger("faints"))


def test_without_a_probe_requirements_on_execution_are_unsupported(judge, stranger, by_verdict):
    verdicts = judge(stranger("without_probe"))
    assert by_verdict(verdicts) == {
        Verdict.PASS: WITHOUT_PROBE,
        Verdict.UNSUPPORTED: SUITE.covered - WITHOUT_PROBE,
    }
    assert verdicts["SRV-001"].reason == "the target carries no probe service"
    assert "carries no probe service" in verdicts.notices[0]


def test_only_unsupported_requirements_are_no_success(judge, stranger):
    verdicts = judge(stranger("without_probe"), patterns=["SRV"])
    assert verdicts.exit_code is ExitCode.NOTHING_RAN


def test_a_collector_that_lacks_something_is_judged_and_told_so(judge, stranger, by_verdict):
    verdicts = judge(stranger("half_deaf"), patterns=["REG"])
    found = by_verdict(verdicts)
    assert found[Verdict.FAIL] == {"REG-010"}
    assert found[Verdict.PASS] == {"REG-001", "REG-003"}
    assert verdicts.exit_code is ExitCode.FAILED
    assert verdicts.notices == (
        "ListServices does not answer: UNIMPLEMENTED what is a list?",
        "the health of the target is not SERVING",
    )


def test_a_running_collector_cannot_be_verified_yet(judge):
    with pytest.raises(InvalidInput, match="cannot be verified yet"):
        judge("attach:127.0.0.1:9")


def test_an_unmatched_pattern_starts_nothing(judge):
    with pytest.raises(NothingSelected, match="FLT-006"):
        judge("exec:false", patterns=["FLT-006"])


def test_an_empty_suite_starts_nothing(judge, tmp_path):
    with pytest.raises(NothingSelected, match="no cases"):
        judge("exec:false", suite=tmp_path)


def test_a_case_that_the_harness_cannot_do_is_no_breach_and_no_success(judge, tmp_path):
    step = "{list: '${env.COLLECTOR_TEST_UNSET}'}"
    (tmp_path / "x.scenario.yaml").write_text(scenario(step))
    verdicts = judge("reference", suite=tmp_path)
    assert verdicts["DSP-004"].verdict is Verdict.HARNESS_ERROR
    assert verdicts.exit_code is ExitCode.INTERNAL_FAULT


def test_one_failing_case_among_several_fails_its_requirement(judge, tmp_path):
    good, bad = "{list: shop}", "{lookup: shop/Nothing}"
    (tmp_path / "a.scenario.yaml").write_text(scenario(good, title="a"))
    (tmp_path / "b.scenario.yaml").write_text(scenario(bad, title="b"))
    found = judge("reference", suite=tmp_path)["DSP-004"]
    assert found.verdict is Verdict.FAIL
    assert [case.outcome for case in found.cases] == ["passed", "failed"]


def test_a_finding_can_be_read_and_pasted(judge, tmp_path):
    step = "{lookup: shop/Nothing, expect: {status: OK}}"
    (tmp_path / "x.scenario.yaml").write_text(scenario(step))
    text = plain(render_verdicts(judge("reference", suite=tmp_path, seed=7)))
    assert "DSP-004  fail  MUST  Automatic: else a connected peer that shares the namespace" in text
    assert "x.scenario.yaml:6:" in text
    assert '- expected "OK"' in text
    assert '+ was      "NOT_FOUND"' in text
    assert "collector-harness verify reference -k DSP-004 --seed 7" in text


def test_an_interrupted_run_gives_no_verdict_and_leaves_nothing(tmp_path):
    sleep = (
        "{serve: shop/conformance.Probe.Sleep, deadline: 60s, "
        'input: {"@type": google.protobuf.Duration, value: 60s}}'
    )
    text = scenario(sleep).replace("[shop]", "[shop], probe: [shop]")
    (tmp_path / "x.scenario.yaml").write_text(text)

    async def interrupted() -> None:
        events: list[object] = []
        under_way = asyncio.Event()

        def emit(event: object) -> None:
            events.append(event)
            if type(event).__name__ == "StepStarted":
                under_way.set()

        task = asyncio.create_task(verify(Reference(), suite=tmp_path, emit=emit))
        await under_way.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        finished = events[-1]
        assert isinstance(finished, RunFinished)
        assert finished.interrupted
        assert [each for each in asyncio.all_tasks() if each is not asyncio.current_task()] == []

    asyncio.run(interrupted())
