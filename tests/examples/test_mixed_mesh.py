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
from collector_harness.topology.values import REFERENCE

MESH = Path(__file__).parents[2] / "scenarios/mesh"
ROUTING = ("04", "05", "09", "10", "12")
"""Scenarios on routing and failover whose nodes carry the probe service, and can be processes."""


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


@pytest.mark.parametrize("number", ROUTING)
def test_the_lessons_hold_with_a_collector_of_another_stack_among_them(number, repository):
    (path,) = MESH.glob(f"{number}_*.scenario.yaml")
    scenario = load_scenario(path)
    carrying = [
        node.name
        for node in scenario.topology.nodes
        if node.probe and node.peer is None and not node.serves and node.collector != REFERENCE
    ]
    assert carrying
    other = str(repository / "examples/grpclib-collector/target.yaml")
    nodes = tuple(
        replace(node, collector=other) if node.name == carrying[0] else node
        for node in scenario.topology.nodes
    )
    mixed = replace(scenario, topology=replace(scenario.topology, nodes=nodes))
    code, failed = failures(mixed.cases)
    assert not failed, failed[0]
    assert code == ExitCode.OK
