"""The model of routing, on topologies small enough to know the answer by heart."""

from __future__ import annotations

import pytest

from collector_harness.topology.routing import executors, peers, routes
from collector_harness.topology.values import Link, Node, Topology

CHAIN = Topology(
    nodes=(
        Node(name="west", namespaces=("users", "orders"), probe=("users", "private")),
        Node(name="hub", namespaces=("users", "orders")),
        Node(name="east", namespaces=("orders",), probe=("orders", "users")),
    ),
    links=(Link(source="west", target="hub"), Link(source="hub", target="east")),
)


def test_a_link_makes_peers_of_both_ends() -> None:
    names = {node.name: [peer.name for peer in peers(CHAIN, node)] for node in CHAIN.nodes}
    assert names == {"west": ["hub"], "hub": ["west", "east"], "east": ["hub"]}


@pytest.mark.parametrize(
    ("via", "namespace", "target", "expected"),
    [
        pytest.param("west", "users", None, {"west"}, id="a local handler comes first"),
        pytest.param("hub", "users", None, {"west"}, id="else a peer that shares the namespace"),
        pytest.param("hub", "orders", None, {"east"}, id="only a peer that serves it"),
        pytest.param("west", "orders", None, set(), id="never over two hops"),
        pytest.param("east", "users", None, {"east"}, id="a probe outside the namespaces is local"),
        pytest.param("hub", "private", None, set(), id="and never shared"),
        pytest.param("hub", "users", "west", {"west"}, id="a target executes"),
        pytest.param("hub", "users", "east", set(), id="not a target that does not share it"),
        pytest.param("hub", "users", "hub", set(), id="the own id is served locally or nowhere"),
        pytest.param("west", "users", "west", {"west"}, id="the own id runs here"),
        pytest.param("west", "orders", "east", set(), id="not a target that is not connected"),
    ],
)
def test_executors_follow_from_the_topology(
    via: str, namespace: str, target: str | None, expected: set[str]
) -> None:
    assert executors(CHAIN, via=via, namespace=namespace, target=target) == expected


def test_routes_cover_every_node_namespace_and_target() -> None:
    every = list(routes(CHAIN))
    assert len(every) == 3 * 3 * 4
    assert len({(route.via, route.namespace, route.target) for route in every}) == len(every)
