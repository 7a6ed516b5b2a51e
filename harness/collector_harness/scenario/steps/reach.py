"""Which nodes a call really reached, whatever its answer claims.

Counted from the dispatches and serves that each node's port took while the call lasted. Health,
registry and reconnecting are no part of a route.
"""

from __future__ import annotations

from collector_harness.errors import InvalidInput, Problem
from collector_harness.mesh import Mesh, MeshNode

__all__ = ["Reach"]

_DISPATCHER = "collector.CollectiveDispatcher/"
_RPCS = (f"{_DISPATCHER}Dispatch", f"{_DISPATCHER}Serve")


class Reach:
    """What every node of a mesh has taken, from now on."""

    def __init__(self, mesh: Mesh) -> None:
        """Raises `InvalidInput` for a mesh with nodes that do not tell."""
        self._mesh = mesh
        self._before = {node.name: _taken(node) for node in mesh}

    def reached(self) -> list[str]:
        """Returns the nodes that took a call since, in the order of the topology."""
        return [node.name for node in self._mesh if _taken(node) > self._before[node.name]]


def _taken(node: MeshNode) -> int:
    if node.calls is not None:
        return sum(call.get("rpc") in _RPCS for call in node.calls)
    statistics = node.statistics()
    if statistics is None:
        raise InvalidInput(
            Problem(
                message=f"node '{node.name}' is not in this process: nobody knows what reached it",
                hint="say `collector: reference` for this node, or expect `handled_by`",
            )
        )
    return sum(count for path, count in statistics.rpcs.items() if path.removeprefix("/") in _RPCS)
