"""Runs scenarios for real, and keeps everything that the engine said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent
from typing import Any, Protocol, TypeVar

import pytest

from collector_harness.errors import ExitCode
from collector_harness.events import CallFinished, CaseFinished, Event, Failure, Outcome
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import Case, parse_scenario

E = TypeVar("E")

SHOP = """\
topology:
  defaults: {namespaces: [shop]}
  nodes:
    hub: {}
    a: {probe: [shop]}
    b: {probe: [shop]}
  links: [hub -> a, hub -> b]
"""
ALONE = "topology: {nodes: {only: {namespaces: [shop], probe: [shop]}}}\n"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a run emitted, and what it ended with."""

    events: tuple[Event, ...]
    exit_code: ExitCode

    def of(self, kind: type[E]) -> tuple[E, ...]:
        """The events of a kind, in order."""
        return tuple(event for event in self.events if isinstance(event, kind))

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """How each case ended, by the part of its id after `::`."""
        return {event.case.partition("::")[2]: event.outcome for event in self.of(CaseFinished)}

    @property
    def calls(self) -> tuple[CallFinished, ...]:
        return self.of(CallFinished)

    @property
    def failure(self) -> Failure:
        """Of the only case, which has not passed."""
        (finished,) = self.of(CaseFinished)
        assert finished.failure is not None, "the case has passed"
        return finished.failure

    def passed(self) -> bool:
        """Whether there were cases and each of them has passed; explains itself otherwise."""
        for finished in self.of(CaseFinished):
            failure = finished.failure
            assert failure is None, (failure.message, failure.mismatches, failure.position)
        return self.exit_code is ExitCode.OK


class RunCases(Protocol):
    def __call__(self, *scenarios: str | Case, **options: Any) -> Ran: ...


def cases_of(*scenarios: str | Case) -> tuple[Case, ...]:
    """Reads scenarios from their texts, each as a file of its own."""
    cases: list[Case] = []
    for index, scenario in enumerate(scenarios):
        if isinstance(scenario, Case):
            cases.append(scenario)
        else:
            cases += parse_scenario(scenario, f"s{index}.scenario.yaml").cases
    return tuple(cases)


@pytest.fixture
def run_all() -> RunCases:
    """Runs scenarios, given as texts or as cases, and returns what happened."""

    def run_all(*scenarios: str | Case, **options: Any) -> Ran:
        events: list[Event] = []
        exit_code = asyncio.run(
            run_cases(cases_of(*scenarios), emit=events.append, **{"seed": 7, "jobs": 1, **options})
        )
        return Ran(events=tuple(events), exit_code=exit_code)

    return run_all


Write = Callable[..., str]


@pytest.fixture
def shop() -> Write:
    """Returns the text of a scenario over a hub with two leaves that serve the probe."""
    return _writer(SHOP)


@pytest.fixture
def alone() -> Write:
    """Returns the text of a scenario over one collector that serves the probe."""
    return _writer(ALONE)


def _writer(topology: str) -> Write:
    def write(steps: str, title: str = "t", rest: str = "") -> str:
        rest, steps = dedent(rest), dedent(steps)
        return f"version: 1\nscenario: {title}\n{topology}{rest}steps:\n{steps}"

    return write
