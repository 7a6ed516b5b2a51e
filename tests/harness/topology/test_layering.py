"""A topology may begin with a file, and say more than that, or otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from collector_harness.errors import InvalidInput, Problem
from collector_harness.scenario.loading import Scenario, load_scenario
from collector_harness.topology import Link, parse_topology
from collector_harness.topology.services import PythonFactory

SHOP = """\
nodes:
  hub: {namespaces: [shop]}
  stock: {namespaces: [shop]}
links: [hub -> stock]
services:
  users:
    python: "services.py:users"
    environment: {FOLDER: "${folder}", LIMIT: "1"}
"""

Load = Callable[[str], Scenario]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite with a topology in a folder of its own, beside the service that it names."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "services.py").write_text("def users(): ...\n")
    (tmp_path / "shop" / "shop.yaml").write_text(SHOP)
    (tmp_path / "cases").mkdir()
    return tmp_path


@pytest.fixture
def load(suite: Path) -> Load:
    """Loads a scenario with this text, which lies in another folder than the topology."""

    def loaded(text: str) -> Scenario:
        path = suite / "cases" / "a.scenario.yaml"
        path.write_text(f"version: 1\nscenario: a\n{text}steps:\n  - http: GET /\n    via: users\n")
        return load_scenario(path, "cases/a.scenario.yaml")

    return loaded


def the_problem(load: Load, text: str) -> Problem:
    with pytest.raises(InvalidInput) as caught:
        load(text)
    (problem,) = caught.value.problems
    return problem


def test_a_scenario_runs_on_the_topology_of_a_file(load: Load, suite: Path) -> None:
    topology = load("topology: ../shop/shop.yaml\n").topology
    assert topology == parse_topology(suite / "shop" / "shop.yaml")
    (users,) = topology.services
    assert users.start == PythonFactory(reference=f"{suite / 'shop' / 'services.py'}:users")
    assert dict(users.environment) == {"FOLDER": str(suite / "shop"), "LIMIT": "1"}


def test_what_a_scenario_says_itself_is_added_key_by_key(load: Load, suite: Path) -> None:
    topology = load("""\
topology:
  file: ../shop/shop.yaml
  nodes: {stock: {probe: [shop]}, more: {}}
services:
  users: {environment: {LIMIT: "2", HERE: "${folder}"}, reset: keep}
  printer: {address: "127.0.0.1:9100"}
""").topology
    assert {node.name: node.probe for node in topology.nodes} == {
        "hub": (),
        "stock": ("shop",),
        "more": (),
    }
    assert topology.links == (Link(source="hub", target="stock"),)
    users, printer = topology.services
    assert users.keeps
    assert dict(users.environment) == {
        "FOLDER": str(suite / "shop"),
        "HERE": str(suite / "cases"),
        "LIMIT": "2",
    }
    assert printer.name == "printer"


def test_a_list_stands_in_place_of_the_files(load: Load) -> None:
    topology = load("topology: {file: ../shop/shop.yaml, links: [stock -> hub]}\n").topology
    assert topology.links == (Link(source="stock", target="hub"),)


def test_a_topology_file_may_begin_with_another(suite: Path) -> None:
    (suite / "whole.yaml").write_text("file: shop/shop.yaml\nnodes: {gate: {}}\n")
    topology = parse_topology(suite / "whole.yaml")
    assert [node.name for node in topology.nodes] == ["hub", "stock", "gate"]
    assert [service.name for service in topology.services] == ["users"]


def test_equal_systems_are_equal_from_whichever_folder_they_are_named(
    load: Load, suite: Path
) -> None:
    near = suite / "shop" / "b.scenario.yaml"
    near.write_text(
        "version: 1\nscenario: b\ntopology: shop.yaml\nsteps:\n  - http: GET /\n    via: users\n"
    )
    assert load_scenario(near).topology == load("topology: ../shop/shop.yaml\n").topology


@pytest.mark.parametrize(
    ("line", "told", "position"),
    [
        ("nodes: {hub: {nmespaces: [x]}}", "unknown key 'nmespaces'", "shop/shop.yaml:1:15"),
        ("nodes: {a: {}}\nlinks: [a -> b]", "leads to 'b'", "shop/shop.yaml:2:9"),
        ("nodes: {a: {}}\nservices: {users: {pyton: x}}", "unknown key", "shop/shop.yaml:2:20"),
        ("- a", "'../shop/shop.yaml' is not a topology", "shop/shop.yaml:1:1"),
        ("file: shop.yaml", "'shop.yaml' comes back to itself", "shop/shop.yaml:1:7"),
        ("file: other.yaml", "there is no file 'other.yaml'", "shop/shop.yaml:1:7"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_there(
    load: Load, suite: Path, line: str, told: str, position: str
) -> None:
    (suite / "shop" / "shop.yaml").write_text(f"{line}\n")
    with pytest.raises(InvalidInput) as caught:
        load("topology: ../shop/shop.yaml\n")
    found = {str(each.position): each.message for each in caught.value.problems}
    assert told in found[position]


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("topology: shop.yml", "there is no file 'shop.yml'", None),
        ("topology: star:3", "'star:3' is not a file with a topology", "{shape: {star: 3}}"),
        ("topology: ../../x.yaml", "'../../x.yaml' is outside of the suite", "stands below"),
        ("topology: {file: 7}", "expected text, not the number 7", None),
    ],
)
def test_a_file_that_cannot_be_used_is_told_where_it_is_named(
    load: Load, text: str, told: str, hint: str | None
) -> None:
    problem = the_problem(load, f"{text}\n")
    assert told in problem.message
    assert problem.position is not None
    assert str(problem.position).startswith("cases/a.scenario.yaml:3:")
    assert hint is None or hint in (problem.hint or "")


def test_a_mere_text_begins_with_no_file() -> None:
    with pytest.raises(InvalidInput, match="a text that is no file cannot name another file"):
        parse_topology("file: shop.yaml\n")
