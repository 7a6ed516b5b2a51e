"""The harness: topologies of collectors, declarative scenarios, faults and verdicts.

This is the whole of what a test or a tool of your own needs by name; each name is
imported from its module when it is first used, so that importing the package costs
nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collector_harness.blocking import BlockingMesh, BlockingNode
    from collector_harness.client import NodeClient, Reply
    from collector_harness.errors import (
        EnvironmentLacks,
        ExitCode,
        HarnessError,
        InternalFault,
        InvalidInput,
        Position,
        Problem,
        TargetFailed,
    )
    from collector_harness.mesh import Mesh, MeshNode
    from collector_harness.pytest_meshes import TopologyFactory
    from collector_harness.runtime import Runtime
    from collector_harness.scenario.engine import run_cases
    from collector_harness.scenario.loading import Case, Scenario, load_scenario, parse_scenario
    from collector_harness.targets import Target, parse_target
    from collector_harness.topology import (
        Link,
        Node,
        NodeTls,
        Served,
        Topology,
        parse_topology,
        shapes,
    )

__all__ = [
    "BlockingMesh",
    "BlockingNode",
    "Case",
    "EnvironmentLacks",
    "ExitCode",
    "HarnessError",
    "InternalFault",
    "InvalidInput",
    "Link",
    "Mesh",
    "MeshNode",
    "Node",
    "NodeClient",
    "NodeTls",
    "Position",
    "Problem",
    "Reply",
    "Runtime",
    "Scenario",
    "Served",
    "Target",
    "TargetFailed",
    "Topology",
    "TopologyFactory",
    "load_scenario",
    "parse_scenario",
    "parse_target",
    "parse_topology",
    "run_cases",
    "shapes",
]

_HOMES = {
    "blocking": ("BlockingMesh", "BlockingNode"),
    "client": ("NodeClient", "Reply"),
    "errors": (
        "EnvironmentLacks",
        "ExitCode",
        "HarnessError",
        "InternalFault",
        "InvalidInput",
        "Position",
        "Problem",
        "TargetFailed",
    ),
    "mesh": ("Mesh", "MeshNode"),
    "pytest_meshes": ("TopologyFactory",),
    "runtime": ("Runtime",),
    "scenario.engine": ("run_cases",),
    "scenario.loading": ("Case", "Scenario", "load_scenario", "parse_scenario"),
    "targets": ("Target", "parse_target"),
    "topology.grammar": ("parse_topology",),
    "topology.values": ("Link", "Node", "NodeTls", "Served", "Topology"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name == "shapes":
        return importlib.import_module("collector_harness.topology.shapes")
    if name not in _HOME:
        raise AttributeError(f"module 'collector_harness' has no attribute '{name}'")
    return getattr(importlib.import_module(f"collector_harness.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
