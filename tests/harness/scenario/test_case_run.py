"""A case ends with an outcome, and with everything that explains it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from collector_harness.errors import ExitCode
from collector_harness.events import CaseFinished, MeshStarted, MeshStopped, Outcome, StepFinished
from collector_harness.scenario.loading import load_scenario, parse_scenario
from collector_harness.scenario.ordering import rounds_of

Run = Callable[..., Any]
Write = Callable[..., str]

ECHO = "- dispatch: shop/conformance.Probe.Echo\n"


def test_a_failure_points_to_the_line_that_is_not_met(run_all: Run, shop: Write) -> None:
    steps = """\
    - dispatch: shop/conformance.Probe.Echo
      via: hub
      target: a
      input: {items: [{sku: A1}, {sku: B2}], total: 3}
      expect:
        handled_by: a
        output:
          items:
            - sku: A1
            - sku: B3
          total: 4
    """
    failure = run_all(shop(steps)).failure
    assert failure.position.text.strip() == "- sku: B3"
    assert failure.position.column == failure.position.text.index("sku") + 1
    assert failure.position.source == "s0.scenario.yaml"
    assert [(each.path, each.expected, each.actual) for each in failure.mismatches] == [
        ("output.items[1].sku", '"B3"', '"B2"'),
        ("output.total", "4", "3"),
    ]
    assert failure.step == "1: dispatch shop/conformance.Probe.Echo"
    assert failure.route == ("hub", "a")
    assert failure.answer["output"]["total"] == 3
    assert failure.answer["handled_by"] == "a"


def test_a_status_that_nobody_expected_points_to_the_step(run_all: Run, alone: Write) -> None:
    failure = run_all(alone("- list: shop\n- dispatch: shop/Nobody.Nope\n")).failure
    assert failure.position.text == "- dispatch: shop/Nobody.Nope"
    assert [(each.path, each.actual) for each in failure.mismatches] == [("status", '"NOT_FOUND"')]


def test_what_the_nodes_on_the_route_logged_is_told(run_all: Run, shop: Write) -> None:
    steps = "- {dispatch: shop/conformance.Probe.Crash, via: hub, target: a}\n"
    failure = run_all(shop(steps)).failure
    assert "a" in failure.logs
    assert "b" not in failure.logs
    assert "the probe crashes" in failure.logs["a"]


def test_a_failure_cites_its_requirements(run_all: Run, alone: Write) -> None:
    rest = "requirements: [DSP-004, DSP-011]\n"
    ran = run_all(alone(ECHO + "  expect: {output: 1}\n", rest=rest))
    assert ran.failure.requirements == ("DSP-004", "DSP-011")
    assert ran.of(CaseFinished)[0].requirements == ("DSP-004", "DSP-011")


def test_the_line_that_reproduces_a_failure_does(
    run_all: Run, alone: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pasted, it runs the one case, with the same seed: the same invented text comes back."""
    steps = """\
    - dispatch: shop/conformance.Probe.Echo
      input: ${fake.sentence}
      expect: {output: "${case.wanted}"}
    """
    rows = """cases: {"it's \\"one\\"": {wanted: {$any: true}}, "$two; x": {wanted: nothing}}\n"""
    (tmp_path / "a b.scenario.yaml").write_text(alone(steps, "it fails", rest=rows))
    monkeypatch.chdir(tmp_path)
    scenario = load_scenario(Path("a b.scenario.yaml"))
    ran = run_all(*scenario.cases, seed=424242)
    failed = next(each.failure for each in ran.of(CaseFinished) if each.failure)
    assert failed.answer["output"]

    pasted = failed.reproduce.replace("collector-harness", '"$0" -m collector_harness')
    again = subprocess.run(
        ["bash", "-c", pasted, sys.executable],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert again.returncode == ExitCode.FAILED, again.stderr
    assert "1 scenario, 1 case: 0 passed, 1 failed" in again.stdout
    assert "it fails[$two; x]" in again.stdout
    assert failed.answer["output"] in again.stdout
    assert failed.reproduce in again.stdout


def test_the_line_that_reproduces_names_the_target(run_all: Run, alone: Write) -> None:
    from collector_harness.targets import parse_target

    target = parse_target("exec:{executable} -c exit(4)")
    words = shlex.split(run_all(alone(ECHO), target=target).failure.reproduce)
    assert words[:3] == ["collector-harness", "run", "s0.scenario.yaml::t"]
    assert words[3:6] == ["--seed", "7", "--target"]
    assert parse_target(words[6]) == target


def test_a_case_that_takes_too_long_fails_at_its_step(run_all: Run, alone: Write) -> None:
    sleep = """\
    - list: shop
    - dispatch: shop/conformance.Probe.Sleep
      input: {"@type": type.googleapis.com/google.protobuf.Duration, value: 50s}
      deadline: 55s
    """
    ran = run_all(alone(sleep, rest="timeout: 300ms\n"))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert ran.exit_code is ExitCode.FAILED
    assert ran.failure.message == "the case was not done within its 0.3s"
    assert ran.failure.position.text.strip() == "- dispatch: shop/conformance.Probe.Sleep"
    assert ran.failure.step == "2: dispatch shop/conformance.Probe.Sleep"
    assert ran.of(CaseFinished)[0].seconds < 10


SLEEP = """\
- dispatch: shop/conformance.Probe.Sleep
  input: {"@type": type.googleapis.com/google.protobuf.Duration, value: 50s}
  deadline: 55s
"""


def test_steps_after_run_after_a_timeout_too_and_have_a_time_of_their_own(
    run_all: Run, alone: Write
) -> None:
    rest = "timeout: 300ms\nafter: [{list: shop}]\n"
    ran = run_all(alone(SLEEP, rest=rest))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert ran.failure.step.startswith("1: dispatch")
    assert [(event.step, event.outcome) for event in ran.of(StepFinished)] == [
        ("1", Outcome.ERROR),
        ("after 1", Outcome.PASSED),
    ]
    endless = SLEEP.replace("\n  ", "\n    ").replace("- dispatch", "\n  - dispatch")
    ran = run_all(alone("- list: shop\n", rest=f"timeout: 300ms\nafter: {endless}"))
    assert ran.failure.message == "the case was not done within its 0.3s"
    assert ran.failure.step.startswith("after 1: dispatch")


def test_a_timeout_is_told_at_the_step_under_way_and_not_at_one_that_failed_before(
    run_all: Run, alone: Write
) -> None:
    steps = """\
    - eventually: {within: 10s, backoff: 1ms}
      steps:
        - dispatch: shop/conformance.Probe.Count
          input: key
          expect: {output: 3}
    """
    ran = run_all(alone(dedent(steps) + SLEEP, rest="timeout: 2s\n"))
    assert ran.failure.message == "the case was not done within its 2s"
    assert ran.failure.step == "2: dispatch shop/conformance.Probe.Sleep"


def test_an_error_is_told_at_its_step_whatever_goes_wrong_after_it(
    run_all: Run, alone: Write
) -> None:
    steps = """\
    - together:
        - {list: shop}
        - steps: [{list: shop}, {list: shop}, {call: a.B/First}]
        - {call: a.B/Second}
    """
    ran = run_all(alone(steps, rest="after: [{call: a.B/Third}]\n"))
    assert ran.outcomes == {"t": Outcome.ERROR}
    assert ran.failure.step == "1.2.3: call a.B/First"
    assert "call: a.B/First" in ran.failure.position.text


def test_a_mesh_on_which_a_case_took_too_long_is_not_used_again(run_all: Run, alone: Write) -> None:
    rows = "timeout: 300ms\ncases: {slow: {time: 50s}, quick: {time: 0.001s}}\n"
    sleep = """\
    - dispatch: shop/conformance.Probe.Sleep
      input: {"@type": type.googleapis.com/google.protobuf.Duration, value: "${case.time}"}
      deadline: 55s
    """
    ran = run_all(alone(sleep, rest=rows))
    assert list(ran.outcomes.values()) == [Outcome.FAILED, Outcome.PASSED]
    assert len(ran.of(MeshStarted)) == 2


DYING = """\
import asyncio, os
from collector_reference import Collector, CollectorSettings

async def die(input, context):
    os._exit(9)

async def main():
    collector = Collector(CollectorSettings.from_environment(os.environ))
    collector.register_service("shop", "Life", "End", die)
    await collector.start()
    print(f"collector listening on {collector.address}", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("expected", ["OK", "UNAVAILABLE"])
def test_a_node_that_dies_during_a_case_is_a_crash_whatever_was_expected(
    run_all: Run, tmp_path: Path, expected: str
) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    ran = run_all(
        f"""\
version: 1
scenario: t
topology:
  nodes:
    hub: {{namespaces: [shop]}}
    mortal:
      namespaces: [shop]
      collector: "exec:{{executable}} {tmp_path / "dying.py"}"
  links: [hub -> mortal]
steps:
  - dispatch: shop/Life.End
    via: mortal
    expect: {{status: {expected}}}
"""
    )
    assert ran.outcomes == {"t": Outcome.CRASHED}
    assert ran.exit_code is ExitCode.TARGET_FAILED
    assert "node 'mortal' died: it exited with status 9" in ran.failure.message
    assert ran.failure.step == ("1: dispatch shop/Life.End" if expected == "OK" else "")


def test_steps_before_and_after_frame_every_case(run_all: Run, alone: Write) -> None:
    rest = """\
    before: [{register: {namespace: shop, service: Cart, methods: [Add]}}]
    after: [{validate: shop/Cart.Add}]
    cases: {one: {n: 1}, two: {n: 2}}
    """
    ran = run_all(alone("- lookup: shop/Cart\n", rest=rest))
    assert ran.passed()
    assert [call.rpc.rpartition("/")[2] for call in ran.calls] == 2 * [
        "RegisterService",
        "LookupService",
        "ValidateMethod",
    ]
    assert [event.step for event in ran.of(StepFinished)] == 2 * ["before 1", "1", "after 1"]


@pytest.mark.parametrize("broken", ["before", "steps"])
def test_steps_after_run_after_a_failure_too(run_all: Run, alone: Write, broken: str) -> None:
    wrong = "[{lookup: shop/Nobody}]"
    before = wrong if broken == "before" else "[{list: shop}]"
    steps = f"- lookup: shop/{'Nobody' if broken == 'steps' else 'conformance.Probe'}\n"
    rest = f"before: {before}\nafter: [{{list: shop}}, {{validate: shop/No.Way}}, {{list: shop}}]\n"
    ran = run_all(alone(steps, rest=rest))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert ran.failure.step.startswith("before 1:" if broken == "before" else "1:")
    done = [(event.step, event.outcome) for event in ran.of(StepFinished)]
    assert done[-2:] == [("after 1", Outcome.PASSED), ("after 2", Outcome.FAILED)]


def test_a_failure_after_the_steps_fails_the_case(run_all: Run, alone: Write) -> None:
    ran = run_all(alone("- list: shop\n", rest="after: [{lookup: shop/Nobody}]\n"))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert ran.failure.step == "after 1: lookup shop/Nobody"


def test_an_exception_that_nobody_foresaw_ends_its_case_only(
    run_all: Run, alone: Write, shop: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector of the user's own that breaks the harness's expectations of its Python API."""
    (tmp_path / "odd_collector.py").write_text(
        "from collector_reference import Collector\n"
        "class Odd(Collector):\n"
        "    async def connect_to(self, address, namespaces=None):\n"
        "        raise ZeroDivisionError('odd')\n"
        "    def connections(self):\n"
        "        return [None]\n"
    )
    monkeypatch.chdir(tmp_path)
    from collector_harness.targets import parse_target

    ran = run_all(
        shop("- {list: shop, via: hub}\n", "starts"),
        alone("- observe: only\n", "looks"),
        alone("- list: shop\n", "works"),
        target=parse_target("python:odd_collector:Odd"),
    )
    assert ran.outcomes == {
        "starts": Outcome.ERROR,
        "looks": Outcome.ERROR,
        "works": Outcome.PASSED,
    }
    assert ran.exit_code is ExitCode.INTERNAL_FAULT
    starts, looks, _ = (each.failure for each in ran.of(CaseFinished))
    assert starts.message == "a fault of the harness: ZeroDivisionError: odd"
    assert starts.position.text == "topology:"
    assert looks.message.startswith("a fault of the harness: AttributeError: ")
    assert looks.position.text == "- observe: only"
    assert len(ran.of(MeshStarted)) == len(ran.of(MeshStopped))


def test_each_round_invents_data_of_its_own_and_tells_how_to_see_it_again(
    run_all: Run, alone: Write
) -> None:
    steps = """\
    - dispatch: shop/conformance.Probe.Echo
      input: ${fake.uuid4}
      expect: {output: none}
    """
    (case,) = parse_scenario(alone(steps)).cases
    ran = run_all(*rounds_of([case], count=2, shuffle=False, seed=7))
    first, second = ran.calls
    assert first.request["input"] != second.request["input"]
    told = [finished.failure.reproduce for finished in ran.of(CaseFinished)]
    assert [shlex.split(line)[5:] for line in told] == [[], ["--repeat", "2"]]
