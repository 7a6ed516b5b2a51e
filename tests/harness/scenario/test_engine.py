"""The engine runs cases in order, so many at a time, and ends with what they amount to."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from collector_harness.errors import ExitCode, InvalidInput
from collector_harness.events import (
    CallFinished,
    CaseFinished,
    CaseStarted,
    Event,
    MeshStarted,
    MeshStopped,
    Notice,
    Outcome,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    Totals,
)
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import parse_scenario
from collector_harness.scenario.pulse import HELD_UP, Pulse

Run = Callable[..., Any]
Write = Callable[..., str]

WELL = "- dispatch: shop/conformance.Probe.WhoAmI\n"
WRONG = WELL + "  expect: {output: nobody}\n"
DEAD = """\
version: 1
scenario: dead
topology: {nodes: {only: {collector: "exec:{executable} -c exit(3)"}}}
steps: [{list: ""}]
"""
LOST = """\
version: 1
scenario: lost
topology: {nodes: {only: {serves: {shop: no_such_module:Orders}}}}
steps: [{list: ""}]
"""


def test_a_run_in_which_all_is_well_ends_with_zero(run_all: Run, alone: Write) -> None:
    ran = run_all(alone(WELL))
    assert ran.outcomes == {"t": Outcome.PASSED}
    assert ran.exit_code is ExitCode.OK


@pytest.mark.parametrize(("held_up", "runs"), [([0.0], 1), ([0.7, 0.0], 2), ([0.7] * 9, 3)])
def test_a_case_that_goes_wrong_while_the_harness_is_held_up_is_run_again(
    run_all: Run, alone: Write, held_up: list[float], runs: int
) -> None:
    late = iter(held_up)
    ran = run_all(alone(WRONG), held_up_since=lambda _: next(late))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert sum(isinstance(each, CaseStarted) for each in ran.events) == runs
    assert sum(isinstance(each, CaseFinished) for each in ran.events) == 1
    notices = [each.message for each in ran.events if isinstance(each, Notice)]
    assert len(notices) == runs - 1
    assert all("is run again: the harness was held up for 0.7 s" in each for each in notices)


def test_a_case_that_passes_when_it_is_run_again_has_passed(run_all: Run, alone: Write) -> None:
    # Its first run waits for less than the process is held up, and its second is not held up.
    late = iter([0.7])
    counted = "- {serve: shop/conformance.Probe.Count, input: k, expect: {output: {$gt: 1}}}\n"
    ran = run_all(alone(counted, rest="isolation: shared\n"), held_up_since=lambda _: next(late))
    assert ran.outcomes == {"t": Outcome.PASSED}
    assert ran.exit_code is ExitCode.OK


def test_a_case_that_passes_while_the_harness_is_held_up_has_passed(
    run_all: Run, alone: Write
) -> None:
    ran = run_all(alone(WELL), held_up_since=lambda _: 9.0)
    assert sum(isinstance(each, CaseStarted) for each in ran.events) == 1
    assert ran.outcomes == {"t": Outcome.PASSED}


def test_the_pulse_tells_for_how_long_a_loop_was_held_up() -> None:
    async def feel() -> tuple[float, float, float]:
        loop = asyncio.get_running_loop()
        async with Pulse() as pulse:
            begin = loop.time()
            hold_up(HELD_UP + 0.4)
            asleep = pulse.held_up_since(begin)
            await asyncio.sleep(0)
            after = loop.time()
            return asleep, pulse.held_up_since(begin), pulse.held_up_since(after + 60)

    def hold_up(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    at_once, later, never = asyncio.run(feel())
    assert at_once >= HELD_UP
    assert later >= at_once
    assert never == 0.0


UNMET = "needs: [own-sockets]\n"
"""Nobody can look at the sockets of a collector in this process."""


def test_a_case_whose_needs_are_not_met_is_unsupported_and_no_failure(
    run_all: Run, alone: Write
) -> None:
    ran = run_all(alone(WRONG, title="unmet", rest=UNMET), alone(WELL), fail_fast=True)
    assert ran.outcomes == {"unmet": Outcome.UNSUPPORTED, "t": Outcome.PASSED}
    assert ran.exit_code is ExitCode.OK
    (finished,) = [each for each in ran.events if isinstance(each, RunFinished)]
    assert finished.totals == Totals(scenarios=2, cases=2, passed=1, unsupported=1)
    first = next(each for each in ran.events if isinstance(each, CaseFinished))
    assert first.failure is not None
    assert first.failure.message == "the target does not have or declare own-sockets"
    assert first.failure.position is not None
    assert first.failure.position.text == UNMET.strip()


def test_a_run_of_cases_that_are_all_unsupported_ran_nothing(run_all: Run, alone: Write) -> None:
    assert run_all(alone(WELL, rest=UNMET)).exit_code is ExitCode.NOTHING_RAN


def test_an_expectation_that_is_not_met_fails_its_case(run_all: Run, alone: Write) -> None:
    ran = run_all(alone(WRONG))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert ran.exit_code is ExitCode.FAILED


def test_a_node_that_does_not_start_is_a_crash(run_all: Run) -> None:
    ran = run_all(DEAD)
    assert ran.outcomes == {"dead": Outcome.CRASHED}
    assert ran.exit_code is ExitCode.TARGET_FAILED
    assert "exited with status 3" in ran.failure.message
    assert ran.failure.position.text.startswith("topology:")


def test_handlers_that_cannot_be_imported_are_an_error_and_no_failure(run_all: Run) -> None:
    ran = run_all(LOST)
    assert ran.outcomes == {"lost": Outcome.ERROR}
    assert ran.exit_code is ExitCode.INVALID_INPUT
    assert "there is no module 'no_such_module'" in ran.failure.message


def test_a_failure_outweighs_a_crash_and_an_error(run_all: Run, alone: Write) -> None:
    ran = run_all(LOST, DEAD, alone(WELL, "well"), alone(WRONG, "wrong"))
    assert list(ran.outcomes.values()) == [
        Outcome.ERROR,
        Outcome.CRASHED,
        Outcome.PASSED,
        Outcome.FAILED,
    ]
    assert ran.exit_code is ExitCode.FAILED
    assert run_all(LOST, DEAD).exit_code is ExitCode.TARGET_FAILED


def test_no_cases_are_no_success(run_all: Run) -> None:
    ran = run_all()
    assert ran.exit_code is ExitCode.NOTHING_RAN
    assert [type(event) for event in ran.events] == [RunStarted, RunFinished]


def test_a_case_cannot_be_given_twice(run_all: Run, alone: Write) -> None:
    (case,) = parse_scenario(alone(WELL), "same").cases
    with pytest.raises(InvalidInput, match="the case 'same::t' was given twice"):
        run_all(case, case)


def test_the_totals_count_scenarios_and_cases(run_all: Run, alone: Write) -> None:
    rows = "cases: {good: {who: only}, bad: {who: nobody}}\n"
    ran = run_all(
        alone(WELL + '  expect: {output: "${case.who}"}\n', rest=rows), alone(WELL, "u"), seed=99
    )
    started, finished = ran.events[0], ran.events[-1]
    assert isinstance(started, RunStarted)
    assert datetime.fromisoformat(started.began).tzinfo is not None
    assert replace(started, began="") == RunStarted(
        seed=99, scenarios=2, cases=3, target="reference"
    )
    assert isinstance(finished, RunFinished)
    assert finished.totals == Totals(scenarios=2, cases=3, passed=2, failed=1)
    assert finished.exit_code == ExitCode.FAILED
    assert not finished.interrupted
    assert finished.seconds > 0


def test_events_come_in_the_order_in_which_things_happen(run_all: Run, alone: Write) -> None:
    inner = "- steps:\n    - list: shop\n"
    ran = run_all(alone(WELL + inner, rest="requirements: [DSP-001]\n"))
    assert [type(event) for event in ran.events] == [
        RunStarted,
        CaseStarted,
        MeshStarted,
        StepStarted,
        CallFinished,
        StepFinished,
        StepStarted,
        StepStarted,
        CallFinished,
        StepFinished,
        StepFinished,
        CaseFinished,
        MeshStopped,
        RunFinished,
    ]
    assert [event.step for event in ran.of(StepStarted)] == ["1", "2", "2.1"]
    assert [event.title for event in ran.of(StepStarted)] == [
        "dispatch shop/conformance.Probe.WhoAmI",
        "steps",
        "list shop",
    ]
    assert [event.step for event in ran.of(StepFinished)] == ["1", "2.1", "2"]
    (started,), (finished,) = ran.of(CaseStarted), ran.of(CaseFinished)
    assert started.case == finished.case == "s0.scenario.yaml::t"
    assert started.requirements == finished.requirements == ("DSP-001",)


def test_a_call_is_told_with_its_request_and_its_answer(run_all: Run, shop: Write) -> None:
    step = "- {dispatch: shop/conformance.Probe.Echo, via: hub, target: a, input: {n: 1}}\n"
    (call,) = run_all(shop(step)).calls
    assert (call.node, call.rpc) == ("hub", "/collector.CollectiveDispatcher/Dispatch")
    assert call.request["target_collector_id"] == "a"
    assert (call.status, call.layer, call.handled_by) == ("OK", "http-like", "a")
    assert call.response["handled_by_collector_id"] == "a"


@pytest.mark.parametrize("jobs", [1, 3])
def test_cases_begin_in_order_and_only_so_many_run_at_a_time(
    run_all: Run, alone: Write, jobs: int
) -> None:
    rows = "cases: {" + ", ".join(f"c{number}: {{n: {number}}}" for number in range(7)) + "}\n"
    ran = run_all(alone(WELL, rest=rows), jobs=jobs)
    started = [event.case for event in ran.of(CaseStarted)]
    assert started == [f"s0.scenario.yaml::t[c{number}]" for number in range(7)]
    running, most = 0, 0
    for event in ran.events:
        running += isinstance(event, CaseStarted)
        running -= isinstance(event, CaseFinished)
        most = max(most, running)
    assert most == jobs


def test_fail_fast_begins_no_case_after_one_that_does_not_pass(run_all: Run, alone: Write) -> None:
    ran = run_all(alone(WELL, "a"), alone(WRONG, "b"), alone(WELL, "c"), fail_fast=True)
    assert ran.outcomes == {"a": Outcome.PASSED, "b": Outcome.FAILED}
    assert ran.exit_code is ExitCode.FAILED


def test_without_a_seed_each_run_has_its_own_and_tells_it(run_all: Run, alone: Write) -> None:
    seeds = {run_all(alone(WELL), seed=None).of(RunStarted)[0].seed for _ in range(3)}
    assert len(seeds) > 1


def test_a_cancelled_run_stops_everything_and_says_that_it_was_interrupted(alone: Write) -> None:
    sleep = """\
    - dispatch: shop/conformance.Probe.Sleep
      input: {"@type": type.googleapis.com/google.protobuf.Duration, value: 50s}
      deadline: 55s
    """
    case = parse_scenario(alone(sleep), "sleeping").cases
    events: list[Event] = []

    async def run() -> None:
        under_way = asyncio.Event()

        def emit(event: Event) -> None:
            events.append(event)
            if isinstance(event, StepStarted):
                under_way.set()

        running = asyncio.create_task(run_cases(case, emit=emit))
        await asyncio.wait_for(under_way.wait(), 20)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 20)

    asyncio.run(run())
    (mesh,) = (event for event in events if isinstance(event, MeshStarted))
    assert any(isinstance(event, MeshStopped) and event.mesh == mesh.mesh for event in events)
    host, _, port = mesh.nodes["only"].rpartition(":")
    with socket.socket() as dialled:
        assert dialled.connect_ex((host, int(port))) != 0, "the node still listens"
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert finished.interrupted
    assert finished.exit_code == ExitCode.INTERRUPTED
    assert finished.totals == Totals(scenarios=1, cases=0)


def test_every_case_of_a_run_is_told_also_when_many_meshes_run_at_once(
    run_all: Run, shop: Write
) -> None:
    texts = [shop(WELL + "  via: hub\n", title) for title in "abcdefgh"]
    ran = run_all(*texts, jobs=4)
    assert ran.passed()
    assert sorted(ran.outcomes) == list("abcdefgh")
    stopped = {event.mesh for event in ran.of(MeshStopped)}
    assert {event.mesh for event in ran.of(MeshStarted)} == stopped
    assert 1 <= len(stopped) <= 4
