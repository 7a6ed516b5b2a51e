"""What `up` prints, word for word."""

from __future__ import annotations

import json
import shlex

from collector_harness.commands.mesh_guide import calls_to_paste, mesh_guide
from collector_harness.reports.lines import plain
from collector_harness.topology.services import Command, Service
from collector_harness.topology.shapes import star
from collector_harness.topology.values import Link, Node, Topology


def addresses(topology: Topology) -> dict[str, str]:
    return {node.name: f"127.0.0.1:{4000 + at}" for at, node in enumerate(topology.nodes)}


def test_a_mesh_is_described_by_its_nodes_links_and_calls() -> None:
    topology = star(3, namespaces=["demo"], probe=["demo"])
    request = (
        '{"namespace": "demo", "service": {"service_name": "conformance.Probe"}, '
        '"method_name": "WhoAmI", "target_collector_id": "leaf1"}'
    )
    assert plain(mesh_guide(topology, addresses(topology))) == (
        "3 nodes, 2 links; Ctrl-C stops them\n"
        "\n"
        "  node   address         namespaces  probe\n"
        "  hub    127.0.0.1:4000  demo        demo\n"
        "  leaf1  127.0.0.1:4001  demo        demo\n"
        "  leaf2  127.0.0.1:4002  demo        demo\n"
        "\n"
        "links\n"
        "  hub -> leaf1, leaf2\n"
        "\n"
        "calls to paste\n"
        "  # 'leaf1', by way of 'hub', says who it is\n"
        "  collector-harness call 127.0.0.1:4000 collector.CollectiveDispatcher/Dispatch "
        f"'{request}'\n"
        f"  grpcurl -plaintext -d '{request}' 127.0.0.1:4000 "
        "collector.CollectiveDispatcher/Dispatch\n"
        "  # the services that 'hub' knows\n"
        "  collector-harness call 127.0.0.1:4000 collector.CollectorRegistry/ListServices\n"
        "  grpcurl -plaintext 127.0.0.1:4000 collector.CollectorRegistry/ListServices\n"
        "  # whether 'hub' is healthy\n"
        "  collector-harness call 127.0.0.1:4000 grpc.health.v1.Health/Check\n"
        "  grpcurl -plaintext 127.0.0.1:4000 grpc.health.v1.Health/Check\n"
    )


def test_services_are_told_with_what_they_speak() -> None:
    topology = Topology(
        nodes=(Node(name="hub"),),
        services=(
            Service(name="users", start=Command(words=("x",))),
            Service(name="gateway", start=Command(words=("x",)), protocol="http"),
        ),
    )
    places = {"hub": "127.0.0.1:1", "users": "127.0.0.1:2", "gateway": "127.0.0.1:3"}
    assert plain(mesh_guide(topology, places)).startswith(
        "1 node, 0 links, 2 services; Ctrl-C stops them\n"
        "\n"
        "  node  address      namespaces  probe\n"
        "  hub   127.0.0.1:1  -           -\n"
        "\n"
        "  service  address\n"
        "  users    grpc://127.0.0.1:2\n"
        "  gateway  http://127.0.0.1:3\n"
        "\n"
        "calls to paste\n"
    )


def test_the_routed_call_goes_only_where_the_namespace_is_shared() -> None:
    topology = Topology(
        nodes=(
            Node(name="a", namespaces=("x",), probe=("x",)),
            Node(name="b", namespaces=("y",), probe=("y",)),
            Node(name="c", namespaces=("y",)),
        ),
        links=(Link(source="a", target="b"), Link(source="b", target="c")),
    )
    routed = calls_to_paste(topology, addresses(topology))[0]
    assert (routed.address, routed.request["target_collector_id"]) == ("127.0.0.1:4002", "b")


def test_a_node_without_links_is_asked_directly() -> None:
    topology = Topology(nodes=(Node(name="a", probe=("x",)),))
    routed = calls_to_paste(topology, addresses(topology))[0]
    assert routed.request["target_collector_id"] == "a"


def test_a_mesh_without_probes_gets_calls_that_need_none() -> None:
    topology = Topology(nodes=(Node(name="a"),))
    methods = [call.method for call in calls_to_paste(topology, addresses(topology))]
    assert methods == ["collector.CollectorRegistry/ListServices", "grpc.health.v1.Health/Check"]


def test_a_name_with_quotes_survives_the_shell() -> None:
    topology = Topology(nodes=(Node(name="it's", probe=("n's",)),))
    call = calls_to_paste(topology, addresses(topology))[0]
    words = shlex.split(call.ours())
    assert words[:2] == ["collector-harness", "call"]
    assert json.loads(words[-1])["target_collector_id"] == "it's"
