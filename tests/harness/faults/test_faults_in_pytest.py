"""Tests that use the plugin's fixtures break their meshes where they asked for that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from collector_harness.blocking import BlockingMesh
from collector_harness.errors import InvalidInput
from collector_harness.pytest_plugin import TopologyFactory

PROBE = "conformance.Probe"
SHOP = """
nodes: {hub: {namespaces: [shop]}, a: {namespaces: [shop], probe: [shop]}}
links: [hub -> a]
"""


def test_a_mesh_from_the_factory_can_be_disturbed_where_that_was_asked_for(
    topology_factory: TopologyFactory,
) -> None:
    with topology_factory(SHOP, faults=True) as mesh:
        with mesh.fault(latency="hub -> a", delay=timedelta(milliseconds=100)):
            assert mesh["hub"].dispatch("shop", PROBE, "WhoAmI").seconds >= 0.2
        assert mesh["hub"].dispatch("shop", PROBE, "WhoAmI").output == "a"
    with (
        topology_factory(SHOP) as mesh,
        pytest.raises(InvalidInput, match="plan for faults"),
        mesh.fault(blackhole="a"),
    ):
        pass


@pytest.mark.topology(
    nodes={"hub": {"namespaces": ["shop"]}, "a": {"namespaces": ["shop"], "probe": ["shop"]}},
    links=["hub -> a"],
    faults=True,
)
def test_a_mesh_from_the_marker_too(topology: BlockingMesh) -> None:
    with topology.fault(pause="a"):
        reply = topology["hub"].dispatch("shop", PROBE, "WhoAmI", timeout=0.2)
        assert reply.status == "DEADLINE_EXCEEDED"
    assert topology["hub"].dispatch("shop", PROBE, "WhoAmI").output == "a"
