"""The pytest plugin: hooks, the marker and the fixtures.

Importing it is light, because every pytest run of every project that has it
installed pays for it: gRPC, YAML and pydantic come when something first needs them.
No fixture here asks for another one, so a project may override any of them.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from collector_harness.errors import HarnessError
from collector_harness.pytest_meshes import Meshes, TopologyFactory, definition_of
from collector_harness.pytest_options import HarnessOptions, add_options, read_options
from collector_harness.pytest_stream import TestStream, open_stream
from collector_harness.scenario_items import SUFFIX, ScenarioFile, ScenarioItem

if TYPE_CHECKING:
    from collector_harness.blocking import BlockingMesh, BlockingNode

__all__ = ["TopologyFactory", "collector", "topology", "topology_factory"]

ONE_COLLECTOR = """
nodes:
  collector: {namespaces: [default], probe: [default]}
"""

_options = pytest.StashKey[HarnessOptions]()
_meshes = pytest.StashKey[Meshes]()
_stream = pytest.StashKey[TestStream | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares `--collector-*` and `collector_*`."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Reads the options and declares the marker."""
    options = config.stash[_options] = read_options(config)
    config.stash[_stream] = open_stream(config, seed=options.seed, target=options.target)
    config.addinivalue_line(
        "markers",
        "topology(definition): the mesh that the fixture `topology` brings up: YAML text, a path, "
        "a mapping or a Topology; with faults=True all of it can be disturbed",
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Writes the files that were asked for."""
    stream = session.config.stash.get(_stream, None)
    if stream is not None:
        stream.finish(int(exitstatus))


def pytest_report_header(config: pytest.Config) -> str:
    """Tells what is needed to run the same again."""
    options = config.stash[_options]
    databases = "" if options.databases == "sqlite" else ", databases on PostgreSQL"
    return f"collector-harness: target {options.target}, seed {options.seed}{databases}"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collects `*.scenario.yaml` files."""
    if not file_path.name.endswith(SUFFIX) or not parent.config.stash[_options].scenarios:
        return None
    meshes = _meshes_of(parent.config)
    return ScenarioFile.from_parent(parent, path=file_path, run_case=meshes.run_case)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Keeps a suite of scenarios out of Python's search for garbage, until pytest ends."""
    if any(isinstance(item, ScenarioItem) for item in session.items):
        gc.freeze()


@pytest.fixture
def topology_factory(request: pytest.FixtureRequest) -> TopologyFactory:
    """Lends running meshes by their definitions; see `TopologyFactory`."""
    return _factory(request)


@pytest.fixture
def topology(request: pytest.FixtureRequest) -> Iterator[BlockingMesh]:
    """The running mesh that the marker `topology` describes."""
    marker = request.node.get_closest_marker("topology")
    if marker is None:
        pytest.fail(
            "the fixture 'topology' needs the marker that describes it, such as:\n"
            '    @pytest.mark.topology("nodes: {west: {namespaces: [users]}}")',
            pytrace=False,
        )
    yield from _lend(request, marker.args, marker.kwargs)


@pytest.fixture
def collector(request: pytest.FixtureRequest) -> Iterator[BlockingNode]:
    """One running collector, with the probe service in the namespace `default`."""
    for mesh in _lend(request, (ONE_COLLECTOR,), {}):
        yield mesh["collector"]


def _without_faults(named: Mapping[str, object]) -> Mapping[str, object]:
    return {key: value for key, value in named.items() if key != "faults"}


def _lend(
    request: pytest.FixtureRequest, arguments: tuple[object, ...], named: Mapping[str, object]
) -> Iterator[BlockingMesh]:
    """Yields one mesh; what is wrong with its definition or its start is told in words alone."""
    wrong = ""
    with contextlib.ExitStack() as lent:
        try:
            faults, named = named.get("faults", False) is True, _without_faults(named)
            definition = definition_of(arguments, named)
            mesh = lent.enter_context(_factory(request)(definition, faults=faults))
        except HarnessError as error:
            wrong = str(error)
        else:
            yield mesh
    if wrong:
        pytest.fail(wrong, pytrace=False)


def _factory(request: pytest.FixtureRequest) -> TopologyFactory:
    return TopologyFactory(_meshes_of(request.config), request.path.parent)


def _meshes_of(config: pytest.Config) -> Meshes:
    """Returns the meshes of this process, which are stopped when pytest ends, however it ends."""
    meshes = config.stash.get(_meshes, None)
    if meshes is None:
        meshes = config.stash[_meshes] = Meshes(
            config.stash[_options], emit=config.stash.get(_stream, None)
        )
        config.add_cleanup(meshes.close)
    return meshes
