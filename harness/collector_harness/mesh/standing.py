"""A node of this process that stands still: not the node itself, but its bytes, both ways."""

from __future__ import annotations

from collections.abc import Iterable

from collector_harness.faults.flow import Standstill
from collector_harness.mesh.node import MeshNode

__all__ = ["Standing", "can_stand_still"]


def can_stand_still(node: MeshNode) -> bool:
    """Whether a node is paused so; anything else is stopped as a process."""
    return node.collector is not None and node.running.front is not None


class Standing:
    """The standstill of one node, until it is ended."""

    def __init__(self, node: MeshNode, others: Iterable[MeshNode]) -> None:
        flows = [
            flow for door in node.running.front or () for flow in (door.inbound, door.outbound)
        ]
        for other in others:
            door = other.running.front.door_for(node.name) if other.running.front else None
            if door is not None:
                flows += [door.inbound, door.outbound]
        self._flows = [(flow, Standstill()) for flow in flows]
        for flow, standstill in self._flows:
            flow.add(standstill)

    def end(self) -> None:
        """Lets the bytes go on."""
        for flow, standstill in self._flows:
            flow.remove(standstill)
