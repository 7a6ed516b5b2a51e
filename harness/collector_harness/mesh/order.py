"""Which part of a mesh has to be up before which, decided before anything is started."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from collector_harness.errors import InvalidInput, Problem
from collector_harness.topology.references import references
from collector_harness.topology.values import Topology

__all__ = ["start_order"]

_PARTS = ("node", "peer", "service")


def start_order(topology: Topology, *, fronted: Collection[str]) -> dict[str, frozenset[str]]:
    """Returns for each node and service those that have to be ready before it starts.

    A node waits for the one whose registry it asks. A `fronted` node connects by itself, so it
    is told addresses at its start: it waits for those nodes it links to that have no front,
    because their address is known only once they run. Whoever is told the address of another in
    its texts waits for that one too, unless they wait for each other: addresses of what has a
    front are known before it runs. Raises `InvalidInput` where parts would wait for each other
    for ever.
    """
    before: dict[str, set[str]] = {node.name: set() for node in topology.nodes}
    before |= {service.name: set() for service in topology.services}
    for node in topology.nodes:
        if node.registry is not None and node.registry != node.name:
            before[node.name].add(node.registry)
    for link in topology.links:
        if link.source in fronted and link.target not in fronted:
            before[link.source].add(link.target)
    told = [(name, other) for name, other in _told(topology) if name != other]
    for name, other in told:
        # What is in this process reads no environment.
        if other not in fronted and name in fronted:
            before[name].add(other)
    _refuse_circles(before)
    for name, other in told:
        if not _waits(before, other, on=name):
            before[name].add(other)
    return {name: frozenset(others) for name, others in before.items()}


def _told(topology: Topology) -> Iterator[tuple[str, str]]:
    """Yields who is told an address of whom."""
    texts = [
        (node.name, text)
        for node in topology.nodes
        for text in (*(value for _, value in node.environment), str(node.token or ""))
    ]
    texts += [(service.name, text) for service in topology.services for text in service.texts()]
    for name, text in texts:
        for reference in references(text):
            if reference.kind in _PARTS:
                yield name, reference.name


def _waits(before: Mapping[str, Collection[str]], name: str, *, on: str) -> bool:
    """Whether one part waits for another, over however many in between."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each == on:
            return True
        if each not in seen:
            seen.add(each)
            waiting += before[each]
    return False


def _refuse_circles(before: Mapping[str, Collection[str]]) -> None:
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
