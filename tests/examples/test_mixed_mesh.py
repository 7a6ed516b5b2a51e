"""Collectors on four stacks, which speak two dialects, are one mesh; and the mesh's own scenarios
hold with one node on another stack.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from collector_harness.errors import ExitCode
from collector_harness.events import CaseFinished, Event, Failure
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import Case, load_scenario, parse_scenario
from collector_harness.targets import Reference
from collector_harness.topology.values import REFERENCE, Node

MESH = Path(__file__).parents[2] / "scenarios/mesh"
LESSONS = sorted(path.name.removesuffix(".scenario.yaml") for path in MESH.glob("*.scenario.yaml"))
OTHER = {
    # grpclib tells only when a call fails that a connection was lost, so its hub skips nobody then.
    "10_failover": "east",
    # A process tells all its peers one address, so its links can only be broken at the other end.
    "11_partition": "n4",
    # The link to the peer that is cut off is the hub's.
    "14_reset": "steady",
    # What Prometheus is shown is the reference's own affair.
    "21_metrics": "a",
    # The line that is broken is one of the hub.
    "24_broken_lines": "near",
    "32_deliveries": "b",
}
"""Which node another stack takes over, where it is not the first that can be."""
OWN_HANDLERS = ("01_shop",)
"""Lessons of which each node executes classes of Python, which no other process can be given."""

OTHER_DIALECT = ("33_dialects",)
"""Lessons whose collectors all write Connect as this stack does not."""


def failures(cases: Sequence[Case]) -> tuple[int, list[Failure]]:
    """Runs cases one by one, and returns the exit code and how they failed."""
    events: list[Event] = []
    code = asyncio.run(run_cases(cases, target=Reference(), emit=events.append, jobs=2))
    ended = [each for each in events if isinstance(each, CaseFinished)]
    assert len(ended) == len(cases)
    return code, [each.failure for each in ended if each.failure is not None]


def test_four_stacks_and_two_dialects_are_one_mesh(go_collector, node_collector, repository):
    text = (Path(__file__).parent / "mixed_mesh.yaml").read_text(encoding="utf-8")
    folders = {
        "PYTHON": repository / "examples/grpclib-collector",
        "GO": go_collector,
        "NODE": node_collector,
    }
    for name, folder in folders.items():
        text = text.replace(f'"{name}/', f'"{folder}/')
    code, failed = failures(parse_scenario(text, "mixed_mesh.yaml").cases)
    assert not failed, failed[0]
    assert code == ExitCode.OK


def can_be_of_another_stack(node: Node) -> bool:
    return node.peer is None and not node.serves and node.collector != REFERENCE


@pytest.mark.parametrize(
    "lesson", [each for each in LESSONS if each not in OWN_HANDLERS + OTHER_DIALECT]
)
def test_the_lessons_hold_with_a_collector_of_another_stack_among_them(lesson, repository):
    scenario = load_scenario(MESH / f"{lesson}.scenario.yaml")
    able = [node.name for node in scenario.topology.nodes if can_be_of_another_stack(node)]
    chosen = OTHER.get(lesson) or able[0]
    assert chosen in able
    other = str(repository / "examples/grpclib-collector/target.yaml")
    nodes = tuple(
        # Its counters are looked at by its admin service.
        replace(
            node, collector=other, environment=(*node.environment, ("COLLECTOR_ADMIN", "local"))
        )
        if node.name == chosen
        else node
        for node in scenario.topology.nodes
    )
    mixed = replace(scenario, topology=replace(scenario.topology, nodes=nodes))
    code, failed = failures(mixed.cases)
    assert not failed, failed[0]
    assert code == ExitCode.OK


@pytest.mark.parametrize("lesson", OWN_HANDLERS)
def test_the_others_leave_no_node_to_another_stack(lesson):
    scenario = load_scenario(MESH / f"{lesson}.scenario.yaml")
    assert not any(map(can_be_of_another_stack, scenario.topology.nodes))
