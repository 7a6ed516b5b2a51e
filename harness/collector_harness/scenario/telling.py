"""What events tell of a topology: names, kinds and links, bounded, and nothing that is secret."""

from __future__ import annotations

from typing import Final

from collector_harness.topology.values import REFERENCE, Node, Topology

__all__ = ["told_topology"]

_NODES: Final = 200
_LINKS: Final = 1_000
_NAMESPACES: Final = 20


def told_topology(topology: Topology) -> dict[str, object]:
    """Returns what `events.CaseStarted.topology` is."""
    nodes: list[dict[str, object]] = [
        {
            "name": node.name,
            "kind": _kind(node),
            "namespaces": list(node.namespaces[:_NAMESPACES]),
        }
        for node in topology.nodes[:_NODES]
    ]
    room = _NODES - len(nodes)
    nodes += [
        {"name": each.name, "kind": "service", "namespaces": []}
        for each in topology.services[:room]
    ]
    return {
        "nodes": nodes,
        "links": [[link.source, link.target] for link in topology.links[:_LINKS]],
        "left_out": len(topology.nodes) + len(topology.services) - len(nodes),
    }


def _kind(node: Node) -> str:
    if node.peer is not None:
        return "peer"
    if node.collector == REFERENCE or node.serves:
        return "reference"
    # What a collector is told as may hold a password: only whether it is the one under test.
    return "target" if node.collector is None else "other"
