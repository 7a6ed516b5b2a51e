"""Handlers may lie in a file beside the topology, which needs no package and no search path."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.launchers.implementations import load_attribute
from collector_harness.mesh import Mesh
from collector_harness.scenario.loading import load_scenario
from collector_harness.topology import Topology, parse_topology

TOPOLOGY = """\
nodes:
  west: {namespaces: [orders]}
  east: {namespaces: [orders], serves: {orders: "parts/my handlers.py:OrderService"}}
links: [west -> east]
"""
HANDLERS = """\
from dataclasses import dataclass

@dataclass
class Order:
    sku: str

class OrderService:
    def Create(self, sku, context):
        return f"{Order(sku).sku} by {context.collector_id}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "my handlers.py").write_text(HANDLERS)
    (tmp_path / "a.yaml").write_text(TOPOLOGY)
    return tmp_path


def created(topology: Topology) -> object:
    async def run() -> object:
        async with Mesh(topology) as mesh:
            client = mesh["west"].client
            return (await client.dispatch("orders", "OrderService", "Create", "A1")).output

    return asyncio.run(run())


def test_a_file_is_found_from_the_folder_of_the_topology(folder: Path) -> None:
    assert created(parse_topology(folder / "a.yaml")) == "A1 by east"


def test_a_topology_without_a_file_begins_in_the_current_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "parts")
    topology = parse_topology(TOPOLOGY.replace("parts/", ""))
    monkeypatch.chdir("/")
    assert created(topology) == "A1 by east"


def test_a_scenario_finds_it_from_anywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    indented = "\n".join(f"  {line}" for line in TOPOLOGY.splitlines())
    text = f"version: 1\nscenario: t\ntopology:\n{indented}\nsteps: [{{list: orders, via: west}}]\n"
    (folder / "a.scenario.yaml").write_text(text)
    monkeypatch.chdir(folder.parent)
    scenario = load_scenario(Path(folder.name) / "a.scenario.yaml")
    monkeypatch.chdir("/")
    assert created(scenario.topology) == "A1 by east"


def test_equal_files_make_equal_topologies_and_others_do_not(folder: Path, tmp_path: Path) -> None:
    first, second = parse_topology(folder / "a.yaml"), parse_topology(folder / "a.yaml")
    assert first == second
    assert hash(first) == hash(second)
    (tmp_path / "else" / "parts").mkdir(parents=True)
    for name in ("a.yaml", "parts/my handlers.py"):
        (tmp_path / "else" / name).write_text((folder / name).read_text())
    assert parse_topology(tmp_path / "else" / "a.yaml") != first


def test_a_file_is_loaded_once(folder: Path) -> None:
    reference = f"{folder / 'parts' / 'my handlers.py'}:OrderService"
    assert load_attribute(reference, what="x") is load_attribute(reference, what="x")


def test_a_file_that_is_not_there_is_told_at_its_line(folder: Path) -> None:
    (folder / "parts" / "my handlers.py").unlink()
    with pytest.raises(InvalidInput) as caught:
        parse_topology(folder / "a.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "there is no file 'parts/my handlers.py' with handlers"
    assert problem.position is not None
    assert (problem.position.line, problem.position.source) == (3, str(folder / "a.yaml"))
    assert problem.hint == f"looked for {folder / 'parts' / 'my handlers.py'}"


def test_a_file_that_cannot_be_loaded_says_why_and_is_tried_again(folder: Path) -> None:
    reference = f"{folder / 'parts' / 'my handlers.py'}:OrderService"
    (folder / "parts" / "my handlers.py").write_text("import nothing_like_this\n")
    with pytest.raises(InvalidInput, match="its module raised ModuleNotFoundError"):
        load_attribute(reference, what="the handlers")
    (folder / "parts" / "my handlers.py").write_text(HANDLERS)
    assert isinstance(load_attribute(reference, what="the handlers"), type)


def test_an_attribute_that_a_file_lacks_gets_a_hint(folder: Path) -> None:
    reference = f"{folder / 'parts' / 'my handlers.py'}:OrdersService"
    with pytest.raises(InvalidInput, match="did you mean 'OrderService'"):
        load_attribute(reference, what="the handlers")


@pytest.mark.parametrize("written", ["handlers.py", "a b:Orders", ".py:X-Y"])
def test_what_is_neither_a_module_nor_a_file_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match="is not a handler"):
        parse_topology(f'nodes: {{east: {{serves: {{orders: "{written}"}}}}}}')
