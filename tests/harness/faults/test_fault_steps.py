"""Fault steps do what they say, are healed whatever their steps do, and are checked when read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.events import Outcome
from collector_harness.faults.plan import NO_FAULTS, FaultPlan
from collector_harness.scenario.loading import parse_scenario
from collector_harness.topology.values import Link

RunTexts = Callable[..., Any]

HEAD = """\
version: 1
scenario: t
topology:
  defaults: {namespaces: [shop]}
  nodes:
    hub: {}
    a: {probe: [shop]}
    b: {probe: [shop], collector: "exec:{executable} -m collector_reference"}
  links: [hub -> a]
"""
ASK = "{dispatch: shop/conformance.Probe.WhoAmI, via: hub, target: a, deadline: 300ms"
WELL = f"after:\n  - {ASK}, expect: {{output: a}}}}\n"


def scenario(steps: str, rest: str = "") -> str:
    return f"{HEAD}{rest}steps:\n{steps}"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("{kill: a}", "UNAVAILABLE"),
        ("{pause: a}", "DEADLINE_EXCEEDED"),
        ("{partition: [[hub], [a]]}", "DEADLINE_EXCEEDED"),
        ("{reset: hub -> a}", "UNAVAILABLE"),
        ("{blackhole: {node: a, direction: back}}", "DEADLINE_EXCEEDED"),
        ("{half_open: a}", "DEADLINE_EXCEEDED"),
        ("{grpc: {node: a, rpc: collector.CollectiveDispatcher/*, status: ABORTED}}", "ABORTED"),
    ],
)
def test_a_fault_is_in_force_for_its_steps_and_healed_after_them(
    run_texts: RunTexts, fault: str, status: str
) -> None:
    steps = f"  - fault: {fault}\n    steps:\n      - {ASK}, expect: {{status: {status}}}}}\n"
    failing = f"  - fault: {fault}\n    steps:\n      - {ASK}}}\n"
    text = scenario(steps + f"  - {ASK}}}\n")
    if status == "ABORTED":
        # Forwarded, a failure of gRPC itself is an internal one.
        text = text.replace("dispatch:", "serve:").replace("via: hub, target: a", "via: a")
        failing = failing.replace("dispatch:", "serve:").replace("via: hub, target: a", "via: a")
    ran = run_texts(text, scenario(failing, WELL), text)
    assert ran.outcomes == [Outcome.PASSED, Outcome.FAILED, Outcome.PASSED]
    (failure,) = ran.failures
    assert failure.step.startswith("1.1: ")
    assert status in str(failure.mismatches)


def test_a_fault_is_healed_when_the_case_runs_out_of_time(run_texts: RunTexts) -> None:
    steps = (
        "  - fault: {kill: a}\n    steps:\n"
        "      - {dispatch: shop/conformance.Probe.WhoAmI, via: hub, eventually: 20s}\n"
    ).replace("via: hub", "via: hub, target: a")
    ran = run_texts(scenario(steps, "timeout: 500ms\n"), scenario(f"  - {ASK}}}\n"))
    assert ran.outcomes == [Outcome.FAILED, Outcome.PASSED]
    assert "not done within its 0.5s" in ran.failures[0].message


def test_the_names_of_a_fault_may_come_from_an_answer(run_texts: RunTexts) -> None:
    steps = f"""\
  - {ASK}, save: {{winner: handled_by}}}}
  - foreach: [kill, pause]
    steps:
      - when: {{"${{item}}": kill}}
        fault: {{kill: "${{winner}}"}}
        steps:
          - {ASK}, expect: {{status: UNAVAILABLE}}}}
      - when: {{"${{item}}": pause}}
        fault: {{pause: "${{winner}}"}}
        steps:
          - {ASK}, expect: {{status: DEADLINE_EXCEEDED}}}}
"""
    assert run_texts(scenario(steps, WELL)).outcomes == [Outcome.PASSED]


EMPTY = "\n    steps: [{check: {'${seed}': 7}}]\n"
HUB_TO_A = Link(source="hub", target="a")


@pytest.mark.parametrize(
    ("faults", "plan"),
    [
        (["{kill: a}"], NO_FAULTS),
        (["{restart: a}"], NO_FAULTS),
        (["{restart: {node: a, port: other}}"], FaultPlan(nodes=frozenset({"a"}))),
        (["{pause: a}", "{blackhole: hub}"], FaultPlan(nodes=frozenset({"a", "hub"}))),
        (['{pause: "${case.who}"}'], FaultPlan(nodes=frozenset({"hub", "a", "b"}))),
        (["{reset: a -> hub}"], FaultPlan(links=frozenset({HUB_TO_A}))),
        (["{partition: [[hub], [a]]}"], FaultPlan(nodes=frozenset({"a", "hub"}))),
        (
            ["{grpc: {node: a, rpc: x.Y/Z, delay: 1s}}"],
            FaultPlan(rpcs=frozenset({"a"})),
        ),
    ],
)
def test_what_needs_a_proxy_is_read_from_the_text(faults: list[str], plan: FaultPlan) -> None:
    steps = "".join(f"  - fault: {fault}{EMPTY}" for fault in faults)
    rest = "cases: {one: {who: a}}\n"
    assert parse_scenario(scenario(steps, rest)).plan == plan


def test_a_service_that_the_harness_starts_needs_no_plan() -> None:
    """It has a door in any case, so scenarios of one system share its meshes."""
    steps = f"  - fault: {{pause: own}}{EMPTY}  - fault: {{reset: other}}{EMPTY}"
    rest = "services: {own: {command: x}, other: {address: '127.0.0.1:9'}}\n"
    plan = FaultPlan(nodes=frozenset({"other"}))
    assert parse_scenario(scenario(steps, rest)).plan == plan


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("{kill: c}", "there is no node 'c'"),
        ("{kill: a, pause: a}", "a fault is exactly one thing"),
        ("{reset: hub -> b}", "there is no link 'hub -> b'"),
        ("{reset: hub -> c}", "there is no node 'c'"),
        ("{latency: a}", "latency needs delay"),
        ("{latency: {link: a, delay: 1s}}", "'a' is not a link"),
        ("{latency: {delay: 1s}}", "latency is about a link or a node"),
        ("{reset: {node: a, delay: 1s}}", "delay does not go with reset"),
        ("{bandwidth: {node: a}}", "bandwidth needs bytes_per_second"),
        ("{connection_limit: a}", "connection_limit needs connections"),
        ("{partition: [[a]]}", "two groups or more"),
        ("{partition: [[a], [a, b]]}", "'a' is in two groups"),
        ("{grpc: {node: a, rpc: x.Y/Z}}", "does not fail"),
        ("{grpc: {node: a, rpc: Serve, status: ABORTED}}", "'Serve' is not an RPC"),
        ("{grpc: {node: a, rpc: x.Y/Z, status: OK}}", "'OK' is no failure"),
        (
            "{grpc: {node: b, rpc: x.Y/Z, status: ABORTED}}",
            "a gRPC fault needs a reference node in process",
        ),
    ],
)
def test_a_fault_that_cannot_be_is_told_with_its_line(fault: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(scenario(f"  - fault: {fault}{EMPTY}"))
    (problem,) = caught.value.problems
    assert told in problem.message
    assert problem.position is not None
    assert problem.position.line == 11
    assert problem.hint


def test_cases_that_share_a_mesh_have_no_faults() -> None:
    with pytest.raises(InvalidInput, match="hurt the cases that share the mesh"):
        parse_scenario(scenario(f"  - fault: {{kill: a}}{EMPTY}", "isolation: shared\n"))


def test_a_fault_that_only_the_run_can_refuse_is_told_at_its_step(run_texts: RunTexts) -> None:
    text = scenario(f"  - fault: {{grpc: {{node: '${{case.n}}', rpc: x.Y/Z, delay: 1s}}}}{EMPTY}")
    text = text.replace("steps:\n  - fault", "cases: {one: {n: hub}}\nsteps:\n  - fault", 1)
    ran = run_texts(text)
    assert ran.outcomes == [Outcome.ERROR]
    assert "needs a reference node in process" in ran.failures[0].message
