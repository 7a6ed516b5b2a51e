"""Starting one node of a running mesh again, on its address or on another one.

How a node comes up is in `starting`, and how links are made in `linking`.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector_harness.errors import InvalidInput, Problem
from collector_harness.mesh.linking import Linking
from collector_harness.mesh.node import MeshNode
from collector_harness.mesh.readiness import all_of
from collector_harness.mesh.starting import Starting
from collector_harness.topology.values import Link, Topology

__all__ = ["Again"]


class Again:
    """How the parts of one mesh come up a second time."""

    def __init__(
        self,
        topology: Topology,
        nodes: Mapping[str, MeshNode],
        *,
        starting: Starting,
        linking: Linking,
    ) -> None:
        self._topology = topology
        self._nodes = nodes
        self._starting = starting
        self._linking = linking

    async def start(self, part: MeshNode, *, moved: bool, healthy: bool) -> None:
        """Ends a part where it still runs, and starts it again, with `moved` elsewhere; raises
        `InvalidInput` where a process was told its address, and what starting raises.
        """
        name = part.name
        dialling = [link.source for link in self._topology.links if link.target == name]
        fixed = [source for source in dialling if self._nodes[source].running.dials]
        if moved:
            _check_doors(part, fixed)
        front = part.running.front
        if front is not None and any(front.door_for(source) for source in dialling):
            # One that says good-bye tells its own address, past the doors of those who dialled.
            await part.running.kill()
        else:
            await part.running.end()
        if moved:
            await part.close_client()
            await part.running.move(keep=fixed)
        await self._starting.start_one(part, healthy=healthy)
        await self._linking.join([link for link in self._topology.links if link.source == name])
        if moved:
            await all_of(
                self._linking.dial(Link(source=source, target=name))
                for source in dialling
                if source not in fixed
            )


def _check_doors(part: MeshNode, fixed: list[str]) -> None:
    front = part.running.front
    for source in fixed:
        if front is None or front.door_for(source) is None:
            raise InvalidInput(
                Problem(
                    message=f"node '{part.name}' cannot move: '{source}', a process, was told "
                    "its address",
                    hint="start the mesh with a plan in which this node can be disturbed",
                )
            )
