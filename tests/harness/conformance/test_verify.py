"""Good collectors pass, a broken set-up is no verdict, and nothing is green by accident."""

from __future__ import annotations

import asyncio
import json

import pytest

from collector_harness.client import NodeClient
from collector_harness.conformance.rendering import render_verdicts
from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.selection import NothingSelected
from collector_harness.conformance.suite import load_suite
from collector_harness.conformance.verdicts import Verdict, Verdicts
from collector_harness.conformance.verify import verify
from collector_harness.errors import ExitCode, InvalidInput, TargetFailed
from collector_harness.events import CaseFinished, RequirementJudged, RunFinished, RunStarted
from collector_harness.reports.lines import plain
from collector_harness.targets import Reference, parse_target
from collector_reference import Collector, CollectorSettings

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


def test_the_reference_meets_every_requirement_in_process(judge, by_verdict):
    verdicts = judge("reference", seed=1)
    assert by_verdict(verdicts) == {Verdict.PASS: SUITE.covered}
    assert (verdicts.exit_code, verdicts.findings, verdicts.notices) == (ExitCode.OK, (), ())
    assert verdicts.seed == 1
    assert verdicts.calls > 300


def test_the_reference_meets_what_can_be_seen_from_outside_as_a_process(judge, by_verdict):
    verdicts = judge("exec:{executable} -m collector_reference", patterns=["SRV", "DSP-00*"])
    found = by_verdict(verdicts)
    assert found[Verdict.UNSUPPORTED] == {"SRV-006"}
    assert verdicts["SRV-006"].reason == "it can be seen only through the Python API"
    assert set(found) == {Verdict.PASS, Verdict.UNSUPPORTED, Verdict.DESELECTED}
    assert (verdicts.exit_code, verdicts.notices) == (ExitCode.OK, ())


def test_a_collector_of_the_other_dialect_is_verified_in_it(judge, by_verdict):
    patterns = ["WIR-002", "CON-00*"]
    found = by_verdict(
        judge(
            "exec:{executable} -m collector_reference",
            declares={"dialect": "accretional"},
            patterns=patterns,
        )
    )
    assert found.keys() == {Verdict.PASS, Verdict.DESELECTED}
    assert {"WIR-002", "CON-006", "CON-007"} <= found[Verdict.PASS]


def test_a_profile_selects_its_families_and_what_these_build_on(judge, by_verdict):
    found = by_verdict(judge("reference", profile="security", patterns=["SEC-004"]))
    assert "SEC-004" in found[Verdict.PASS]
    assert "SEC-001" in found[Verdict.DESELECTED]


def test_what_cases_need_and_the_target_lacks_is_unsupported(tmp_path, judge):
    text = scenario("{list: shop}").replace("requirements", "needs: [persistence]\nrequirements")
    (tmp_path / "x.scenario.yaml").write_text(text)
    verdicts = judge("exec:{executable} -m collector_reference", suite=tmp_path)
    assert verdicts["DSP-004"].verdict is Verdict.UNSUPPORTED
    assert "persistence" in verdicts["DSP-004"].reason
    assert verdicts.exit_code is ExitCode.NOTHING_RAN


def test_what_a_target_declares_and_does_not_show_is_a_finding(tmp_path, judge, stranger):
    (tmp_path / "x.scenario.yaml").write_text(scenario("{list: shop}"))
    command = stranger("without_probe").removeprefix("exec:")
    target = tmp_path / "target.yaml"
    target.write_text(
        f"version: 1\nlaunch: {{exec: '{command}'}}\ncapabilities: [probe, reflection]\n"
    )
    verdicts = judge(str(target), suite=tmp_path)
    assert verdicts.findings == (
        "the target declares the capability 'probe', and does not show it",
    )
    assert verdicts["DSP-004"].verdict is Verdict.PASS
    assert verdicts.exit_code is ExitCode.FAILED


def test_rounds_that_end_alike_are_no_finding(tmp_path, judge):
    (tmp_path / "x.scenario.yaml").write_text(scenario("{list: shop}"))
    verdicts = judge("reference", suite=tmp_path, rounds=3)
    (case,) = verdicts["DSP-004"].cases
    assert case.rounds == ("passed",) * 3


def test_a_collector_that_passes_every_other_time_is_flaky(tmp_path, judge):
    step = "{register: {namespace: shop, service: S, methods: [M]}}"
    text = scenario(step).replace("requirements", "isolation: shared\nrequirements")
    (tmp_path / "x.scenario.yaml").write_text(text)
    verdicts = judge("reference", suite=tmp_path, rounds=2)
    assert verdicts["DSP-004"].verdict is Verdict.FLAKY
    assert verdicts["DSP-004"].reason.startswith("it passed in 1 of 2 rounds: ")
    assert verdicts.exit_code is ExitCode.FAILED


def test_what_is_not_covered_is_told(judge):
    verdicts = judge("reference", patterns=["SRV-002"])
    every = [requirement.id for requirement in catalogue()]
    assert sorted([*verdicts.uncovered, *SUITE.covered]) == sorted(every)


def test_a_selection_runs_only_what_it_names_and_builds_on(judge, by_verdict):
    events = []
    verdicts = judge("reference", patterns=["DSP-010"], emit=events.append)
    wanted = catalogue().with_prerequisites({"DSP-010"}) & SUITE.covered
    assert {"DSP-010", "DSP-004"} <= wanted
    assert by_verdict(verdicts) == {
        Verdict.PASS: wanted,
        Verdict.DESELECTED: SUITE.covered - wanted,
    }
    ran = {event.requirements for event in events if isinstance(event, CaseFinished)}
    assert ran == {(key,) for key in wanted}
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)


def test_the_same_seed_gives_the_same_verdicts_and_documents(judge):
    def document():
        found = judge("reference", seed=3, patterns=["SRV", "REG-00*"]).as_json()
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
    verdicts = judge(stranger("without_probe"), patterns=["SRV-001", "SRV-002", *WITHOUT_PROBE])
    found = by_verdict(verdicts)
    assert found[Verdict.PASS] >= WITHOUT_PROBE
    assert found[Verdict.UNSUPPORTED] >= {"SRV-001", "SRV-002"}
    assert verdicts["SRV-001"].reason == "the target carries no probe service"
    assert "carries no probe service" in verdicts.notices[0]


def test_an_id_without_its_zeros_is_proposed(judge):
    with pytest.raises(InvalidInput, match=r"did you mean 'DSP-004'"):
        judge("exec:false", patterns=["DSP-04"])


def test_only_unsupported_requirements_are_no_success(judge, stranger, tmp_path):
    step = "{serve: shop/conformance.Probe.WhoAmI}"
    (tmp_path / "x.scenario.yaml").write_text(
        scenario(step, key="SRV-001").replace("]}}", "], probe: [shop]}}")
    )
    verdicts = judge(stranger("without_probe"), suite=tmp_path)
    assert verdicts.exit_code is ExitCode.NOTHING_RAN


def test_a_collector_that_lacks_something_is_judged_and_told_so(judge, stranger, by_verdict):
    verdicts = judge(stranger("half_deaf"), patterns=["REG-001", "REG-003", "REG-010"])
    found = by_verdict(verdicts)
    assert found[Verdict.FAIL] == {"WIR-001"}
    assert verdicts["REG-010"].blocked_by == ("WIR-001",)
    assert verdicts.exit_code is ExitCode.FAILED
    assert verdicts.notices == (
        "ListServices does not answer: UNIMPLEMENTED what is a list?",
        "the health of the target is not SERVING",
    )


def test_of_a_running_collector_is_seen_what_needs_no_launch_and_the_rest_is_told(
    by_verdict,
):
    async def run():
        settings = CollectorSettings(collector_id="hub", namespaces=("shop",), probe=("shop",))
        async with Collector(settings) as collector:
            target = parse_target(f"attach:{collector.address}")
            verdicts = await verify(target, patterns=["SRV", "LOOP-008", "REG-001"])
            return verdicts, collector.connections(), await _services(collector.address)

    verdicts, connections, services = asyncio.run(run())
    found = by_verdict(verdicts)
    assert {"SRV-001", "SRV-002"} <= found[Verdict.PASS]
    assert found[Verdict.UNSUPPORTED] >= {"LOOP-008", "REG-001", "SRV-006"}
    assert "links" in verdicts["LOOP-008"].reason
    assert "leave something behind" in verdicts["REG-001"].reason
    assert Verdict.FAIL not in found
    assert connections == ()
    assert services == {"conformance.Probe"}


async def _services(address):
    async with NodeClient(address, node="hub") as client:
        reply = await client.list_services("shop")
    return {each["service_name"] for each in reply.response["services"]}


def test_cases_run_in_an_order_made_of_the_seed_where_that_is_asked_for(judge, tmp_path):
    for number in range(6):
        text = scenario("{list: shop}", title=f"case {number}")
        (tmp_path / f"{number}.scenario.yaml").write_text(text)

    def order(**options):
        events = []
        judge("reference", suite=tmp_path, jobs=1, emit=events.append, **options)
        return [each.scenario for each in events if isinstance(each, CaseFinished)]

    usual = order(seed=1)
    assert usual == [f"case {number}" for number in range(6)]
    assert order(seed=1, shuffle=True) == order(seed=1, shuffle=True)
    assert sorted(order(seed=1, shuffle=True)) == usual
    assert {tuple(order(seed=seed, shuffle=True)) for seed in range(3)} != {tuple(usual)}


def test_an_unmatched_pattern_starts_nothing(judge, tmp_path):
    (tmp_path / "x.scenario.yaml").write_text(scenario("{list: shop}"))
    with pytest.raises(NothingSelected, match="FLT-006"):
        judge("exec:false", patterns=["FLT-006"], suite=tmp_path)


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


def test_what_passes_beneath_is_no_verdict_on_what_was_asked(judge, stranger):
    verdicts = judge(stranger("without_probe"), patterns=["SRV-001"])
    beneath = [each for each in verdicts.requirements if each.verdict is Verdict.PASS]
    assert beneath
    assert not any(each.asked for each in beneath)
    assert verdicts["SRV-001"].asked
    assert verdicts["SRV-001"].verdict is Verdict.UNSUPPORTED
    assert verdicts.exit_code is ExitCode.NOTHING_RAN
    text = plain(render_verdicts(verdicts))
    assert "asked for: SRV-001 unsupported" in text
    assert "nothing was judged of what was asked" in text


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("exec:./nope --port 0", "No such file or directory (command: ./nope --port 0)"),
        ("exec:./nope", "it was looked for from {here}"),
        ("exec:nope-nowhere", "'nope-nowhere' is in no folder of PATH"),
        ("exec:./plain.txt", "Permission denied (command: ./plain.txt)"),
    ],
)
def test_a_command_that_there_is_not_is_told_with_where_it_was_looked_for(
    target, told, judge, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.txt").write_text("no program")
    with pytest.raises(TargetFailed) as caught:
        judge(target)
    assert told.format(here=tmp_path) in str(caught.value)
    assert "node 'target'" in str(caught.value)
    assert caught.value.exit_code is ExitCode.TARGET_FAILED


def test_an_interrupted_run_tells_what_is_known_and_leaves_nothing(tmp_path):
    sleep = (
        "{serve: shop/conformance.Probe.Sleep, deadline: 60s, "
        'input: {"@type": google.protobuf.Duration, value: 60s}}'
    )
    text = scenario(sleep).replace("[shop]", "[shop], probe: [shop]")
    (tmp_path / "x.scenario.yaml").write_text(text)
    good, bad = "{list: shop}", "{lookup: shop/Nothing, expect: {status: OK}}"
    (tmp_path / "a.scenario.yaml").write_text(scenario(good, key="REG-010", title="good"))
    (tmp_path / "b.scenario.yaml").write_text(scenario(bad, key="WIR-008", title="bad"))

    async def interrupted() -> None:
        events: list[object] = []
        known: list[Verdicts] = []
        under_way = asyncio.Event()

        def emit(event: object) -> None:
            events.append(event)
            ended = sum(isinstance(each, CaseFinished) for each in events)
            begun = sum(type(each).__name__ == "CaseStarted" for each in events)
            if (ended, begun) == (2, 3):
                under_way.set()

        task = asyncio.create_task(
            verify(Reference(), suite=tmp_path, emit=emit, when_interrupted=known.append)
        )
        await under_way.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        finished = events[-1]
        assert isinstance(finished, RunFinished)
        assert finished.interrupted
        assert finished.exit_code == ExitCode.INTERRUPTED
        (verdicts,) = known
        assert {each.requirement.id: each.verdict for each in verdicts.requirements} == {
            "REG-010": Verdict.PASS,
            "WIR-008": Verdict.FAIL,
            "DSP-004": Verdict.UNFINISHED,
        }
        assert verdicts.exit_code is ExitCode.INTERRUPTED
        assert verdicts.as_json()["interrupted"] is True
        told = {each.requirement for each in events if isinstance(each, RequirementJudged)}
        assert told == {"REG-010", "WIR-008", "DSP-004"}
        assert [each for each in asyncio.all_tasks() if each is not asyncio.current_task()] == []

    asyncio.run(interrupted())
