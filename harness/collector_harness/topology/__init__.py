"""What a mesh is before it runs."""

from collector_harness.topology.building import build_topology
from collector_harness.topology.grammar import parse_topology
from collector_harness.topology.shapes import chain, mesh, random_topology, ring, star
from collector_harness.topology.spec import TopologySpec
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
