"""Every shape has the nodes and links that its name says, and random ones repeat exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector_harness.errors import InvalidInput
from collector_harness.topology import shapes
from collector_harness.topology.values import Topology

PINNED_LINKS = ["n3 -> n4", "n3 -> n5", "n3 -> n1", "n5 -> n2", "n1 -> n2", "n1 -> n4"]
PINNED_NAMESPACES = [("a",), ("a", "b"), ("b",), ("a",), ("a",)]


def links(topology: Topology) -> list[str]:
    return [str(link) for link in topology.links]


def test_a_star_links_its_hub_to_each_leaf() -> None:
    topology = shapes.star(4, namespaces=["a"], probe=["a"])
    assert [node.name for node in topology.nodes] == ["hub", "leaf1", "leaf2", "leaf3"]
    assert links(topology) == ["hub -> leaf1", "hub -> leaf2", "hub -> leaf3"]
    assert all(node.namespaces == ("a",) and node.probe == ("a",) for node in topology.nodes)


def test_a_chain_links_each_node_to_the_next() -> None:
    assert links(shapes.chain(3)) == ["n1 -> n2", "n2 -> n3"]


def test_a_ring_also_links_the_last_to_the_first() -> None:
    assert links(shapes.ring(3)) == ["n1 -> n2", "n2 -> n3", "n3 -> n1"]


def test_a_mesh_links_any_two_nodes_once() -> None:
    assert links(shapes.mesh(3)) == ["n1 -> n2", "n1 -> n3", "n2 -> n3"]
    assert len(shapes.mesh(50).links) == 1225


@pytest.mark.parametrize("shape", [shapes.star, shapes.chain, shapes.mesh])
def test_a_shape_of_one_node_has_no_links(shape: Callable[[int], Topology]) -> None:
    assert len(shape(1).nodes) == 1
    assert shape(1).links == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: shapes.star(0), "a star of 0 nodes"),
        (lambda: shapes.chain(-1), "a chain of -1 nodes"),
        (lambda: shapes.ring(2), "it takes 3 or more"),
        (lambda: shapes.mesh(0), "a mesh of 0 nodes"),
        (lambda: shapes.random_topology(0, seed=1), "a random topology of 0 nodes"),
        (lambda: shapes.random_topology(3, seed=1, degree=-1), "cannot be"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(make: Callable[[], Topology], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make()


def test_a_random_topology_is_the_same_for_the_same_seed_for_ever() -> None:
    topology = shapes.random_topology(5, seed=7, degree=2.5, namespaces=["a", "b"], probe=["a"])
    assert topology == shapes.random_topology(
        5, seed=7, degree=2.5, namespaces=["a", "b"], probe=["a"]
    )
    assert links(topology) == PINNED_LINKS
    assert [node.namespaces for node in topology.nodes] == PINNED_NAMESPACES


def test_other_seeds_give_other_topologies() -> None:
    assert len({shapes.random_topology(8, seed=seed).links for seed in range(20)}) == 20


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 25),
    seed=st.integers(),
    degree=st.floats(0, 30),
    namespaces=st.lists(st.sampled_from("abcd"), unique=True),
)
def test_a_random_topology_is_connected_and_has_the_links_it_can(
    n: int, seed: int, degree: float, namespaces: list[str]
) -> None:
    topology = shapes.random_topology(
        n, seed=seed, degree=degree, namespaces=namespaces, probe=namespaces[:1]
    )
    reached = {"n1"}
    for _ in range(n):
        for link in topology.links:
            if reached & {link.source, link.target}:
                reached |= {link.source, link.target}
    assert reached == {f"n{number}" for number in range(1, n + 1)}
    pairs = {frozenset((link.source, link.target)) for link in topology.links}
    assert len(pairs) == len(topology.links)
    assert len(pairs) == min(max(round(n * degree / 2), n - 1), n * (n - 1) // 2)
    for node in topology.nodes:
        assert bool(node.namespaces) == bool(namespaces)
        assert set(node.namespaces) <= set(namespaces)
        assert set(node.probe) == set(namespaces[:1]) & set(node.namespaces)


def test_a_probe_outside_the_namespaces_is_on_every_node() -> None:
    topology = shapes.random_topology(4, seed=3, namespaces=["a"], probe=["private"])
    assert all(node.probe == ("private",) for node in topology.nodes)
