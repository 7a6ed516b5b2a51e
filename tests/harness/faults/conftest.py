"""Meshes that can be broken, and scenarios that break them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from collector_harness.events import CaseFinished, Event, Failure, Outcome
from collector_harness.runtime import Runtime
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import parse_scenario


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime() as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How the cases of a run ended, in order."""

    finished: Sequence[CaseFinished]

    @property
    def outcomes(self) -> list[Outcome]:
        return [each.outcome for each in self.finished]

    @property
    def failures(self) -> list[Failure]:
        return [each.failure for each in self.finished if each.failure is not None]


RunTexts = Callable[..., Ran]


@pytest.fixture
def run_texts() -> RunTexts:
    """Runs scenarios, given as texts, one after the other in one run."""

    def run(*texts: str) -> Ran:
        events: list[Event] = []
        cases = [
            case
            for index, text in enumerate(texts)
            for case in parse_scenario(text, f"s{index}.scenario.yaml").cases
        ]
        asyncio.run(run_cases(cases, emit=events.append, seed=7))
        return Ran(finished=[each for each in events if isinstance(each, CaseFinished)])

    return run
