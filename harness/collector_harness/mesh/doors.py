"""Which door of a mesh is used by whom, and which flows a fault of a link or node is about.

A node that can be told apart by whom it dials has one door for each of them. A process tells all
its peers the same address (PROTOCOL.md section 4): what dials back to it comes through one door.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping

from collector_harness.errors import InvalidInput, Problem
from collector_harness.faults.front import Front
from collector_harness.faults.link_proxy import LinkProxy
from collector_harness.launchers.base import RunningNode
from collector_harness.mesh.node import MeshNode
from collector_harness.topology.values import Link, Topology

__all__ = ["Doors"]


class Doors:
    """The doors of one mesh."""

    def __init__(self, topology: Topology, nodes: Mapping[str, MeshNode]) -> None:
        self._topology = topology
        self._nodes = nodes

    def address(self, of: str, *, by: str) -> str:
        """Returns where a node is dialled by another."""
        running = self._nodes[of].running
        door = running.front.door_for(by) if running.front is not None else None
        return running.address if door is None else door.address

    def advertised(self, of: str, *, to: str) -> str | None:
        """Returns the address that a node tells one peer only; None where it tells its own."""
        running = self._nodes[of].running
        door = running.front.door_for(to) if running.front is not None else None
        return door.address if door is not None and _tells_each(running) else None

    def front(self, name: str) -> Front:
        """Returns the doors to a node; raises `InvalidInput` where it was started without."""
        front = self._nodes[name].running.front
        if front is None:
            raise _unplanned(f"node '{name}'")
        return front

    def between(self, left: str, right: str) -> tuple[LinkProxy, LinkProxy]:
        """Returns the door at the right for the left, and the one at the left for the right.

        Raises `InvalidInput` where there is no such link, or none that can be disturbed alone.
        """
        link = self._link(left, right)
        ((door, back),) = self.of_links([link])
        return (door, back) if link.source == left else (back, door)

    def of_links(self, links: Collection[Link]) -> Iterator[tuple[LinkProxy, LinkProxy]]:
        """Yields for each link the door at its target and the one at its source.

        Raises `InvalidInput` as `between` does.
        """
        for link in links:
            door = self.front(link.target).door_for(link.source)
            if door is None:
                raise _unplanned(f"link '{link}'")
            yield door, self._way_back(link, links)

    def _way_back(self, link: Link, links: Collection[Link]) -> LinkProxy:
        front = self.front(link.source)
        own = front.door_for(link.target)
        if own is not None and _tells_each(self._nodes[link.source].running):
            return own
        others = [
            each
            for each in self._topology.links
            if each.source == link.source and each not in links
        ]
        if others:
            raise InvalidInput(
                Problem(
                    message=f"link '{link}' cannot be disturbed alone: '{link.source}' tells all "
                    "its peers one address, so what dials back to it cannot be told apart from "
                    + ", ".join(f"'{each}'" for each in others),
                    hint=f"turn it round: {link.target} -> {link.source}",
                )
            )
        return front.public

    def _link(self, left: str, right: str) -> Link:
        ends = {self._topology.node(left).name, self._topology.node(right).name}
        for link in self._topology.links:
            if {link.source, link.target} == ends:
                return link
        raise InvalidInput(
            Problem(
                message=f"there is no link between '{left}' and '{right}'",
                hint="the links are: " + (", ".join(map(str, self._topology.links)) or "none"),
            )
        )


def _tells_each(node: RunningNode) -> bool:
    """Whether a node in this process can tell each peer an address of its own."""
    connect = getattr(node.collector, "connect_to", None)
    if connect is None:
        return False
    try:
        return "advertise" in inspect.signature(connect).parameters
    except (TypeError, ValueError):
        return False


def _unplanned(what: str) -> InvalidInput:
    return InvalidInput(
        Problem(
            message=f"{what} cannot be disturbed: the mesh was started without doors for it",
            hint="plan for faults: topology_factory(..., faults=True), or "
            "Mesh(..., plan=FaultPlan.everything(topology))",
        )
    )
