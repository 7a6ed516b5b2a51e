"""A topology is checked when it is made, and equal definitions are one value."""

from __future__ import annotations

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.topology.values import Link, Node, Served, Topology


class Handlers:
    """Stands for a user's service."""


def link(source: str, target: str) -> Link:
    return Link(source=source, target=target)


def test_equal_definitions_are_equal_and_hash_alike() -> None:
    def make() -> Topology:
        return Topology(
            nodes=(
                Node(name="a", namespaces=("x",)),
                Node(name="b", serves=(Served(namespace="x", implementation=Handlers),)),
            ),
            links=(link("a", "b"),),
        )

    assert make() == make()
    assert len({make(), make()}) == 1


def test_a_node_is_found_by_its_name() -> None:
    topology = Topology(nodes=(Node(name="west"), Node(name="east")))
    assert topology.node("east").name == "east"
    with pytest.raises(InvalidInput, match=r"'weest'[\s\S]*did you mean 'west'\?"):
        topology.node("weest")


@pytest.mark.parametrize(
    ("nodes", "links", "message"),
    [
        ((), (), "at least one node"),
        ((Node(name="a"), Node(name="a")), (), "2 nodes are called 'a'"),
        ((Node(name=""),), (), "a node needs a name"),
        ((Node(name="west"),), (link("west", "wset"),), r"did you mean 'west'\?"),
        ((Node(name="a"),), (link("b", "a"),), "leads to 'b', which is not a node"),
        ((Node(name="a"), Node(name="b")), (link("a", "b"),) * 2, "given 2 times"),
        ((Node(name="a"),), (link("a", "a"),), "joins a node to itself"),
        ((Node(name="a", registry="b"),), (), "uses the registry of 'b'"),
        (
            (
                Node(
                    name="a",
                    collector="exec:./c",
                    serves=(Served(namespace="x", implementation=Handlers),),
                ),
            ),
            (),
            "cannot load them",
        ),
    ],
)
def test_a_topology_that_cannot_be_is_refused(
    nodes: tuple[Node, ...], links: tuple[Link, ...], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        Topology(nodes=nodes, links=links)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        Topology(nodes=(Node(name="a"), Node(name="a")), links=(link("a", "b"), link("c", "a")))
    assert len(caught.value.problems) == 3
