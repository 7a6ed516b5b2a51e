"""Scenario files: read, checked whole, and turned into cases that an engine can run.

Every problem of a file is told at once, with its place. Nothing is started, and what a
scenario needs of the machine or of a target is not known here.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from collector_harness.documents import Document, UnknownKey, load, load_file, problems_of
from collector_harness.errors import EnvironmentLacks, InvalidInput, Position, Problem
from collector_harness.faults.plan import FaultPlan
from collector_harness.scenario.checks import check_document
from collector_harness.scenario.definitions import Library, read_library
from collector_harness.scenario.fault_plan import plan_for
from collector_harness.scenario.handlers import handler_problems
from collector_harness.scenario.matching_syntax import matcher_clashes
from collector_harness.scenario.model import (
    BlockStep,
    FaultStep,
    MeasureStep,
    ScenarioFile,
    Step,
    StepBase,
    TogetherStep,
    clashes,
)
from collector_harness.scenario.names import name_problems
from collector_harness.scenario.payloads import payload_problems
from collector_harness.scenario.values import Template
from collector_harness.topology import Topology, TopologySpec, build_topology
from collector_harness.topology.layering import layered_scenario
from collector_harness.topology.service_spec import ServiceSpec
from collector_harness.topology.spec import with_services
from collector_harness.topology.values import Node

__all__ = ["Case", "Scenario", "load_scenario", "parse_scenario"]

DEFAULT_DEADLINE = timedelta(seconds=5)
"""The deadline of a call that names none."""
DEFAULT_TIMEOUT = timedelta(seconds=60)
"""The limit of a case whose scenario names none."""

Location = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)  # without slots, for what is computed once
class Scenario:
    """A checked scenario: what to run, on what, and where each part stands in the text."""

    file: ScenarioFile
    """The text as a model."""
    topology: Topology
    """The mesh that it runs on."""
    document: Document = field(repr=False)
    """The text with its positions."""
    library: Library = field(repr=False)
    """Its definitions, and those of the files that it uses."""

    @property
    def title(self) -> str:
        """What is true when it passes."""
        return self.file.scenario

    @property
    def source(self) -> str:
        """The file as the user named it."""
        return self.document.source

    @property
    def cases(self) -> tuple[Case, ...]:
        """One case per row of `cases`, in order; one without a name where there are none."""
        # Made anew each time: kept, they and the scenario would keep each other alive.
        rows: Mapping[str, Mapping[str, object]] = self.file.cases
        if not rows:
            return (Case(scenario=self),)
        return tuple(Case(scenario=self, name=name, values=values) for name, values in rows.items())

    @property
    def timeout(self) -> timedelta | Template:
        """The limit of each case."""
        return self.file.timeout or DEFAULT_TIMEOUT

    @property
    def deadline(self) -> timedelta | Template:
        """The deadline of a call whose step names none."""
        return self.file.defaults.deadline or DEFAULT_DEADLINE

    @cached_property
    def plan(self) -> FaultPlan:
        """What its mesh must be able to do for the faults in it."""
        return plan_for((step for _, step, _ in self.every_step()), self.topology)

    def steps(self) -> Iterator[tuple[Location, Step]]:
        """Yields every step with its location, those inside others after them."""
        for block in ("before", "steps", "after"):
            yield from _walk(getattr(self.file, block) or (), (block,))
        for name, definition in self.file.definitions.items():
            yield from _walk(definition.steps, ("definitions", name, "steps"))

    def every_step(self) -> Iterator[tuple[Location, Step, Document]]:
        """Yields every step of this file and of the definitions that it uses from others, with
        its location and the document in which that is.
        """
        for location, step in self.steps():
            yield location, step, self.document
        for library, name in self.library.reachable():
            steps = library.definitions[name].steps
            for location, step in _walk(steps, ("definitions", name, "steps")):
                yield location, step, library.document

    def location(self, step: StepBase) -> Location:
        """Returns where a step of this scenario stands; for messages, as it searches."""
        for location, candidate in self.steps():
            if candidate is step:
                return location
        return ()

    def position(self, step: StepBase, *path: str | int, key: bool = False) -> Position:
        """Returns the line of something in a step, such as `("expect", "status")`."""
        return self.document.position((*self.location(step), *path), key=key)


@dataclass(frozen=True, kw_only=True, eq=False)  # without slots, for what is computed once
class Case:
    """A scenario with one row of values: what runs, passes or fails as one."""

    scenario: Scenario
    name: str | None = None
    """Its name in `cases`; None where the scenario has none."""
    values: Mapping[str, object] = field(default_factory=dict)
    """What `${case.…}` leads into."""
    round: int = 1
    """Which of several times that it is run in one run, from 1."""

    @cached_property
    def address(self) -> str:
        """`file::title`, or `file::title[name]`: what names it on the command line."""
        base = f"{self.scenario.source}::{self.scenario.title}"
        return base if self.name is None else f"{base}[{self.name}]"

    @cached_property
    def id(self) -> str:
        """Its address, with ` #2` for a second round; unique in a run."""
        return self.address if self.round == 1 else f"{self.address} #{self.round}"


def load_scenario(path: Path, source: str | None = None) -> Scenario:
    """Reads a scenario file; `source` is what messages call it.

    Raises `InvalidInput` with every problem of the file, each at its line.
    """
    return _check(load_file(path, source))


def parse_scenario(text: str, source: str = "<string>") -> Scenario:
    """Reads a scenario from its text; raises as `load_scenario` does."""
    return _check(load(text, source))


def _check(document: Document) -> Scenario:
    told = clashes() + matcher_clashes()
    if told:
        raise EnvironmentLacks(f"{told[0]}; uninstall what is not needed")
    document = layered_scenario(document)
    problems: list[Problem] = []
    file: ScenarioFile | None = None
    topology: Topology | None = None
    try:
        file = ScenarioFile.model_validate(document.value)
        spec: TopologySpec | None = with_services(file.topology, file.services)
        played = [peer.as_node(name) for name, peer in file.peers.items()]
    except ValidationError as error:
        problems += problems_of(error, ScenarioFile, document)
        spec = _spec_alone(document)
        played = _names_alone(document)
    if spec is not None:
        try:
            topology = build_topology(
                spec, document, ("topology",), played=played, services_at=_services_at(document)
            )
        except InvalidInput as error:
            problems += error.problems
    try:
        library = read_library(document, file.definitions if file is not None else {})
    except InvalidInput as error:
        problems += error.problems
        library = Library(document=document, written=_definitions_alone(document))
    problems += check_document(document, topology, library)
    if topology is not None:
        problems += handler_problems(topology, document)
    if problems:
        raise InvalidInput(_in_order(problems))
    assert file is not None
    assert topology is not None
    topology = _one_of_equal(topology)
    scenario = Scenario(file=file, topology=topology, document=document, library=library)
    every = tuple(scenario.every_step())
    problems += name_problems(every, topology)
    problems += payload_problems(every, topology, default_via=file.defaults.via, cases=file.cases)
    if problems:
        raise InvalidInput(_in_order(problems))
    return scenario


def _one_of_equal(topology: Topology) -> Topology:
    """Returns one value for all topologies that are equal: a suite has many scenarios on few."""
    try:
        return _first_of_equal(topology)
    except TypeError:  # a handler object that cannot be hashed
        return topology


@functools.lru_cache(maxsize=256)
def _first_of_equal(topology: Topology) -> Topology:
    return topology


def _spec_alone(document: Document) -> TopologySpec | None:
    """Returns the topology of a file that is broken elsewhere, so that its names are known."""
    value = document.value
    try:
        return _with_services_alone(
            TopologySpec.model_validate(value.get("topology") if isinstance(value, dict) else 0),
            value,
        )
    except ValidationError:  # told already
        return None


def _with_services_alone(spec: TopologySpec, value: object) -> TopologySpec:
    services = value.get("services") if isinstance(value, dict) else None
    whole: dict[str, ServiceSpec] = {}
    for name, service in services.items() if isinstance(services, dict) else ():
        with contextlib.suppress(ValidationError):  # told already
            whole[name] = ServiceSpec.model_validate(service)
    return with_services(spec, whole)


def _services_at(document: Document) -> Location:
    """Returns where services stand: beside the topology, or in it."""
    # Not `document.has`: that reads the text once more, which only messages are worth.
    value = document.value
    beside = isinstance(value, dict) and "services" in value
    return ("services",) if beside else ("topology", "services")


def _names_alone(document: Document) -> list[Node]:
    """Returns the peers of a file that is broken somewhere, as nodes of which only the names are
    known.
    """
    value = document.value
    peers = value.get("peers") if isinstance(value, dict) else None
    return [Node(name=name) for name in peers if name] if isinstance(peers, dict) else []


def _definitions_alone(document: Document) -> dict[str, object]:
    value = document.value
    written = value.get("definitions") if isinstance(value, dict) else None
    return written if isinstance(written, dict) else {}


def _in_order(problems: list[Problem]) -> list[Problem]:
    """Returns the problems as they stand in the text, one for each place and matter. A key that is
    not known comes before all else about its mapping: what is missing there may be what it was
    meant to be.
    """

    def place(problem: Problem) -> tuple[int, int, bool]:
        if isinstance(problem, UnknownKey):
            return problem.within.line, problem.within.column, False
        position = problem.position
        return (position.line, position.column, True) if position else (0, 0, True)

    return sorted(dict.fromkeys(problems), key=place)


def _walk(steps: tuple[Step, ...], location: Location) -> Iterator[tuple[Location, Step]]:
    for index, step in enumerate(steps):
        here = (*location, index)
        yield here, step
        if isinstance(step, BlockStep | MeasureStep | FaultStep):
            yield from _walk(step.steps, (*here, "steps"))
        elif isinstance(step, TogetherStep):
            yield from _walk(step.steps, (*here, "together"))
