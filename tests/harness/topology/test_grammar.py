"""Topologies are read from text, files and mappings, and refused with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector_harness.errors import InvalidInput, Problem
from collector_harness.topology import Link, Node, Served, Topology, parse_topology, star


def _problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        parse_topology(text, source="t.yaml")
    return caught.value.problems


TEXT = """\
nodes:
  west: {namespaces: [users, orders]}
  east: {namespaces: [orders], serves: {orders: [app.handlers:OrderService]}}
links: [west -> east]
"""
VALUE = Topology(
    nodes=(
        Node(name="west", namespaces=("users", "orders")),
        Node(
            name="east",
            namespaces=("orders",),
            serves=(Served(namespace="orders", implementation="app.handlers:OrderService"),),
        ),
    ),
    links=(Link(source="west", target="east"),),
)


def test_a_text_becomes_a_value() -> None:
    assert parse_topology(TEXT) == VALUE


def test_a_file_becomes_a_value(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(TEXT)
    assert parse_topology(path) == VALUE


def test_a_value_stays_as_it_is() -> None:
    assert parse_topology(VALUE) is VALUE


def test_a_mapping_may_hold_objects_as_handlers() -> None:
    class OrderService:
        pass

    handlers = OrderService()
    topology = parse_topology(
        {
            "nodes": {
                "a": {"namespaces": ("orders",), "serves": {"orders": [OrderService, "m:x"]}},
                "b": {"serves": {"users": handlers}},
                "c": None,
            },
            "links": ["a -> b"],
        }
    )
    a, b, c = topology.nodes
    assert [served.implementation for served in a.serves] == [OrderService, "m:x"]
    assert [served.implementation for served in b.serves] == [handlers]
    assert c == Node(name="c")
    assert topology.links == (Link(source="a", target="b"),)


def test_a_node_takes_the_defaults_where_it_says_nothing_itself() -> None:
    topology = parse_topology("""\
defaults: {namespaces: [shop], probe: [shop], validation: false, environment: {A: 1, B: x}}
nodes:
  a:
  b: {namespaces: [], validation: true, environment: {B: y}}
""")
    a, b = topology.nodes
    assert (a.namespaces, a.probe, a.validation) == (("shop",), ("shop",), False)
    assert (b.namespaces, b.probe, b.validation) == ((), ("shop",), True)
    assert a.environment == (("A", "1"), ("B", "x"))
    assert b.environment == (("A", "1"), ("B", "y"))


def test_everything_that_a_node_can_say_arrives() -> None:
    (node,) = parse_topology("""\
nodes:
  a:
    namespaces: [shop]
    probe: [shop, own]
    collector: "exec:./collector --fast"
    validation: false
    registry: a
    environment: {LEVEL: debug}
""").nodes
    assert node == Node(
        name="a",
        namespaces=("shop",),
        probe=("shop", "own"),
        collector="exec:./collector --fast",
        validation=False,
        registry="a",
        environment=(("LEVEL", "debug"),),
    )


def test_a_shape_gives_nodes_that_can_be_changed_and_joined_by_others() -> None:
    topology = parse_topology("""\
shape: {star: 3}
defaults: {namespaces: [shop]}
nodes:
  leaf1: {probe: [shop]}
  extra: {namespaces: [more]}
links: [{from: leaf1, to: extra}]
""")
    plain = star(3, namespaces=["shop"])
    assert [node.name for node in topology.nodes] == [*(n.name for n in plain.nodes), "extra"]
    assert topology.node("leaf1") == Node(name="leaf1", namespaces=("shop",), probe=("shop",))
    assert topology.node("leaf2") == plain.node("leaf2")
    assert topology.node("extra").namespaces == ("more",)
    assert topology.links == (*plain.links, Link(source="leaf1", target="extra"))


@pytest.mark.parametrize(
    ("shape", "nodes", "links"),
    [("star: 4", 4, 3), ("chain: 4", 4, 3), ("ring: 4", 4, 4), ("mesh: 4", 4, 6)],
)
def test_a_shape_has_its_nodes_and_links(shape: str, nodes: int, links: int) -> None:
    topology = parse_topology(f"shape: {{{shape}}}")
    assert (len(topology.nodes), len(topology.links)) == (nodes, links)


def test_a_random_shape_depends_on_its_seed() -> None:
    def random(seed: int) -> Topology:
        return parse_topology(
            f"shape: {{random: 10, seed: {seed}, degree: 3}}\n"
            "defaults: {namespaces: [a, b, c], probe: [a, b, c]}\n"
        )

    assert random(1) == random(1)
    assert random(1) != random(2)
    assert len({node.namespaces for node in random(1).nodes}) > 1


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("nodes: {a: {}}\nlinks: [«a -> b]", "link 'a -> b' leads to 'b'", "the nodes are: a"),
        (
            "nodes: {east: {}, b: {}}\nlinks: [b -> east, «esat -> b]",
            "'esat'",
            "did you mean 'east'",
        ),
        ("nodes: {a: {}, b: {}}\nlinks: [a -> b, «a -> b]", "given 2 times", ""),
        ("nodes: {a: {}}\nlinks: [«a -> a]", "joins a node to itself", ""),
        ("nodes: {a: {}, b: {}}\nlinks: [«a <-> b]", "is not a link", "write a -> b"),
        ("nodes: {a: {}, b: {}}\nlinks: [«a - b]", "is not a link", "west -> east"),
        ("nodes: {a: {}, b: {}}\nlinks: [«a -> b -> a]", "is not a link", "west -> east"),
        ("nodes: {a: {}, b: {}}\nlinks: [{from: a, «too: b, to: b}]", "unknown key 'too'", "to"),
        ("nodes: {a: {}, b: {}}\nlinks: [«{from: a}]", "the key 'to' is missing", ""),
        ("nodes: {a: {registry: «b}}", "uses the registry of 'b', which is not a node", "a"),
        ("nodes: {a: {«namespace: [x]}}", "unknown key 'namespace'", "did you mean 'namespaces'"),
        ("nodes: {a: {namespaces: «x}}", "expected a list, not 'x'", ""),
        ("nodes: {a: {namespaces: [«1]}}", "expected text, not the number 1", ""),
        ("nodes: {a: {serves: {x: [«handlers]}}}", "is not a handler", "module:attribute"),
        ("nodes: {a: {serves: {x: [m:x]}, collector: «exec:c}}", "cannot load them", "leave out"),
        ("nodes: {a: {validation: «'on'}}", "expected true or false", ""),
        ("nodes: {a: {environment: {A: «[]}}}", "environment variable is text", "quotes"),
        ("«nodes: {}", "a topology needs at least one node", "shape"),
        ("shape: «{star: 3, ring: 3}", "a shape is exactly one of", ""),
        ("shape: «{star: 3, seed: 1}", "for a random shape only", ""),
        ("shape: {«sta: 3, star: 3}", "unknown key 'sta'", "did you mean 'star'"),
        ("shape: {star: «many}", "expected a whole number", ""),
        ("shape: «{ring: 2}", "ring", ""),
        ("nodes: {«a b: {}}", "'a b' cannot be the name of a node", "letters"),
    ],
)
def test_a_wrong_topology_is_told_at_its_place(text: str, message: str, hint: str) -> None:
    before, _, after = text.partition("«")
    problems = _problems(before + after)
    told = "\n".join(str(problem) for problem in problems)
    (problem,) = problems
    assert problem.position is not None
    place = (problem.position.line, problem.position.column)
    assert place == (before.count("\n") + 1, len(before) - before.rfind("\n")), told
    assert message in problem.message, told
    assert hint in (problem.hint or ""), told


def test_every_wrong_link_is_told_at_once() -> None:
    problems = _problems("nodes: {a: {}}\nlinks:\n  - a -> b\n  - c -> a\n  - a -> a\n")
    assert [problem.position.line for problem in problems if problem.position] == [3, 4, 5]


def test_a_wrong_mapping_is_told_without_a_file() -> None:
    with pytest.raises(InvalidInput, match=r"<topology>:.*unknown key 'nodez'"):
        parse_topology({"nodez": {}, "nodes": {"a": {}}})
