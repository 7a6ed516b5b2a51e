"""Which nodes a call really reached, whatever its answer claims.

Counted from the dispatches and serves that each node's port took while the call lasted. Health,
registry and reconnecting are no part of a route.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self

from collector_harness.mesh import Mesh, MeshNode
from collector_harness.scenario.steps.counters import counters_of

__all__ = ["Reach"]

_DISPATCHER = "collector.CollectiveDispatcher/"
_RPCS = (f"{_DISPATCHER}Dispatch", f"{_DISPATCHER}Serve")


class Reach:
    """What every node of a mesh has taken, from now on."""

    def __init__(self, mesh: Mesh, before: Mapping[str, int]) -> None:
        self._mesh = mesh
        self._before = before

    @classmethod
    async def begin(cls, mesh: Mesh) -> Self:
        """Raises `InvalidInput` for a mesh with nodes that do not tell."""
        return cls(mesh, await _taken_by_each(mesh))

    async def reached(self) -> list[str]:
        """Returns the nodes that took a call since, in the order of the topology."""
        now = await _taken_by_each(self._mesh)
        return [name for name, taken in now.items() if taken > self._before[name]]


async def _taken_by_each(mesh: Mesh) -> dict[str, int]:
    nodes = list(mesh)
    taken = await asyncio.gather(*(_taken(node) for node in nodes))
    return {node.name: count for node, count in zip(nodes, taken, strict=True)}


async def _taken(node: MeshNode) -> int:
    if node.calls is not None:
        return sum(call.get("rpc") in _RPCS for call in node.calls)
    counters = await counters_of(node)
    return sum(counters.rpcs.get(rpc, 0) for rpc in _RPCS)
