"""Each of the ten practices has a scenario that fails without it. That all pass with them, pytest
sees when it collects the scenarios themselves.
"""

from __future__ import annotations

import asyncio
from dataclasses import fields
from pathlib import Path

import pytest

from collector_harness.errors import ExitCode
from collector_harness.events import CaseFinished, Event, Outcome
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import load_scenario

PRACTICES = Path(__file__).parents[3] / "scenarios" / "commerce" / "practices"


def test_every_practice_has_a_scenario() -> None:
    from shared_system.practices import Practices

    shown = {file.name.partition(".")[0] for file in PRACTICES.glob("*.scenario.yaml")}
    assert shown == {field.name for field in fields(Practices)}


@pytest.mark.parametrize(
    "practice", sorted(file.name.partition(".")[0] for file in PRACTICES.glob("*.scenario.yaml"))
)
def test_a_practice_that_is_left_out_fails_its_scenario(
    practice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMERCE_WITHOUT", practice)
    seen: list[Event] = []
    scenario = load_scenario(PRACTICES / f"{practice}.scenario.yaml")
    code = asyncio.run(run_cases(scenario.cases, emit=seen.append))
    assert code == ExitCode.FAILED
    ended = [event for event in seen if isinstance(event, CaseFinished)]
    assert {event.outcome for event in ended} == {Outcome.FAILED}
    # What fails is what the scenario is about, and not what it does before.
    assert all(event.failure and not event.failure.step.startswith("before") for event in ended)
