"""What a mesh is before it runs."""

from collector_harness.topology.grammar import TopologySpec, build_topology, parse_topology
from collector_harness.topology.shapes import chain, mesh, random_topology, ring, star
from collector_harness.topology.values import REFERENCE, Link, Node, NodeTls, Served, Topology

__all__ = [
    "REFERENCE",
    "Link",
    "Node",
    "NodeTls",
    "Served",
    "Topology",
    "TopologySpec",
    "build_topology",
    "chain",
    "mesh",
    "parse_topology",
    "random_topology",
    "ring",
    "star",
]
