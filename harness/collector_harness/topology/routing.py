"""What routing must do, computed from a topology alone.

A model to hold running meshes against: it knows who is linked to whom, which
namespaces they share and who serves the probe service, and derives who may execute a
call. It knows nothing of sockets, order or load, so where several peers may execute
a call it answers all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from collector_harness.topology.values import Node, Topology

__all__ = ["Route", "executors", "peers", "routes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One call that can be made into a mesh, and who may execute it."""

    via: str
    """The node that is asked to dispatch."""
    namespace: str
    target: str | None
    """The node that must execute the call; None to let the dispatcher choose."""
    executors: frozenset[str]
    """The nodes of which one executes the call; none means NOT_FOUND."""


def peers(topology: Topology, node: Node) -> tuple[Node, ...]:
    """Returns the nodes that `node` is linked with, in either direction (CON-006)."""
    linked = {link.target for link in topology.links if link.source == node.name} | {
        link.source for link in topology.links if link.target == node.name
    }
    return tuple(other for other in topology.nodes if other.name in linked)


def executors(
    topology: Topology, *, via: str, namespace: str, target: str | None = None
) -> frozenset[str]:
    """Returns the nodes that may execute a probe call; none means NOT_FOUND.

    Targeted calls run on their target or nowhere (DSP-001, DSP-002, DSP-006, DSP-007,
    DSP-013); automatic ones here if they can (DSP-003), else on a peer that shares the
    namespace (DSP-004, DSP-005, ISO-002). A call takes one hop at most (LOOP-008).
    """
    here = topology.node(via)
    if target == here.name or (target is None and namespace in here.probe):
        return frozenset({here.name} if namespace in here.probe else ())
    return frozenset(
        peer.name
        for peer in peers(topology, here)
        if target in (None, peer.name)
        and namespace in here.namespaces
        and namespace in peer.namespaces
        and namespace in peer.probe
    )


def routes(topology: Topology) -> Iterator[Route]:
    """Yields every probe call that a mesh can be asked for: through each node, in each
    namespace that any node has, automatically and with each node as the target. Peers that the
    harness plays need not keep to any model, so they are left out.
    """
    nodes = [node for node in topology.nodes if node.peer is None]
    namespaces = sorted({name for node in nodes for name in (*node.namespaces, *node.probe)})
    for node in nodes:
        for namespace in namespaces:
            for target in (None, *(other.name for other in nodes)):
                yield Route(
                    via=node.name,
                    namespace=namespace,
                    target=target,
                    executors=executors(
                        topology, via=node.name, namespace=namespace, target=target
                    ),
                )
