"""The text that names a topology."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector_harness.commands.shapes import topology_of
from collector_harness.errors import InvalidInput
from collector_harness.topology import Topology, chain, mesh, random_topology, ring, star

NAMES = {"namespaces": ("demo",), "probe": ("demo",)}


def made(text: str) -> Topology:
    return topology_of(text, namespaces=("demo",), seed=7)


@pytest.mark.parametrize(
    ("text", "topology"),
    [
        ("star:4", star(4, **NAMES)),
        ("chain:3", chain(3, **NAMES)),
        ("ring:3", ring(3, **NAMES)),
        ("mesh:4", mesh(4, **NAMES)),
        ("random:9", random_topology(9, seed=7, **NAMES)),
    ],
)
def test_a_shape_with_a_number_is_a_topology(text: str, topology: Topology) -> None:
    assert made(text) == topology


def test_a_file_is_a_topology(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("nodes:\n  a: {namespaces: [x]}\n  b: {}\nlinks: [a -> b]\n")
    topology = made(str(path))
    assert [node.name for node in topology.nodes] == ["a", "b"]
    assert [str(link) for link in topology.links] == ["a -> b"]


def test_a_scenario_file_stands_for_its_topology(tmp_path: Path) -> None:
    path = tmp_path / "one.scenario.yaml"
    path.write_text(
        "version: 1\n"
        "scenario: it answers\n"
        "topology: {nodes: {only: {namespaces: [x], probe: [x]}}}\n"
        "steps:\n"
        "  - dispatch: x/conformance.Probe.WhoAmI\n"
        "    via: only\n"
        "    expect: {status: OK}\n"
    )
    assert [node.name for node in made(str(path)).nodes] == ["only"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("starr:6", "did you mean 'star:6'?"),
        ("star", "did you mean 'star:5'?"),
        ("chain:x", "did you mean 'chain:5'?"),
        ("missing.yaml", "star:N"),
    ],
)
def test_what_is_neither_shape_nor_file_is_told_with_a_suggestion(text: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        made(text)
    assert hint in (caught.value.problems[0].hint or "")


def test_a_shape_that_cannot_be_is_told() -> None:
    with pytest.raises(InvalidInput, match="ring"):
        made("ring:2")
