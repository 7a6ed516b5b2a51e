"""Which node has to be up before which, decided before anything is started."""

from __future__ import annotations

from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter

from collector_harness.errors import InvalidInput, Problem
from collector_harness.topology.values import Topology

__all__ = ["start_order"]


def start_order(topology: Topology, *, fronted: Collection[str]) -> dict[str, frozenset[str]]:
    """Returns for each node the nodes that have to be ready before it starts.

    A node waits for the one whose registry it asks. A `fronted` node connects by itself, so it
    is told addresses at its start: it waits for those nodes it links to that have no front,
    because their address is known only once they run. Raises `InvalidInput` where nodes would
    wait for each other for ever.
    """
    before: dict[str, set[str]] = {node.name: set() for node in topology.nodes}
    for node in topology.nodes:
        if node.registry is not None and node.registry != node.name:
            before[node.name].add(node.registry)
    for link in topology.links:
        if link.source in fronted and link.target not in fronted:
            before[link.source].add(link.target)
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        raise InvalidInput(
            Problem(
                message="these nodes wait for each other at their start: "
                + " -> ".join(f"'{name}'" for name in circle),
                hint="a node waits for the registry that it uses, and a process for the nodes in "
                "the harness's process that it links to",
            )
        ) from error
    return {name: frozenset(others) for name, others in before.items()}
