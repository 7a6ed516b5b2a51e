"""What a mesh has to be built with so that it can be broken later.

A door costs each byte a copy, so a mesh gets doors only where its faults need them. The plan is
a value: equal plans make equal meshes.
"""

from __future__ import annotations

from dataclasses import dataclass

from collector_harness.topology.values import Link, Topology

__all__ = ["NO_FAULTS", "FaultPlan"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultPlan:
    """Which parts of a mesh can be disturbed. Killing and restarting needs no plan."""

    nodes: frozenset[str] = frozenset()
    """Nodes of which everything that reaches them, and all their links, can be disturbed."""
    links: frozenset[Link] = frozenset()
    """Links whose bytes can be disturbed."""
    rpcs: frozenset[str] = frozenset()
    """Nodes whose RPCs can be made to fail; reference collectors in the harness's process."""

    @classmethod
    def everything(cls, topology: Topology) -> FaultPlan:
        """Returns the plan with which every node and every link can be disturbed."""
        return cls(nodes=frozenset(node.name for node in topology.nodes))

    def broken_links(self, topology: Topology) -> frozenset[Link]:
        """Returns the links that need doors of their own."""
        return frozenset(
            link
            for link in topology.links
            if link in self.links or link.source in self.nodes or link.target in self.nodes
        )

    def diallers(self, topology: Topology) -> dict[str, frozenset[str]]:
        """Returns the nodes that need doors, each with those who get one of their own."""
        found: dict[str, set[str]] = {name: set() for name in self.nodes}
        for link in self.broken_links(topology):
            found.setdefault(link.target, set()).add(link.source)
            found.setdefault(link.source, set()).add(link.target)
        return {name: frozenset(diallers) for name, diallers in found.items()}


NO_FAULTS = FaultPlan()
"""The plan of a mesh whose bytes nothing disturbs."""
