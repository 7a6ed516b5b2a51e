"""Failures as they typically come, shared by the tests of the reports."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from collector_harness.errors import Position
from collector_harness.events import CaseFinished, Failure, Mismatch, Outcome


def mismatch() -> CaseFinished:
    """A status that is not the expected one, and one field of the output beside it."""
    return CaseFinished(
        case="scenarios/orders.scenario.yaml::orders are routed[unknown]",
        scenario="orders are routed",
        source="scenarios/orders.scenario.yaml",
        outcome=Outcome.FAILED,
        seconds=0.0312,
        requirements=("DSP-005", "DSP-011"),
        failure=Failure(
            message="the answer is not the expected one",
            position=Position(
                source="scenarios/orders.scenario.yaml",
                line=21,
                column=7,
                text="      status: ${case.status}",
            ),
            step="1  dispatch shop/conformance.Probe.Nope via hub",
            mismatches=(
                Mismatch(path="status", expected="NOT_FOUND", actual="OK"),
                Mismatch(path="output.items[0].sku", expected="'A1'", actual="nothing"),
            ),
            answer={"status": "OK", "handled_by": "a", "output": {"items": []}},
            requirements=("DSP-005", "DSP-011"),
            route=("hub", "a"),
            logs={"hub": "dispatching\nto a\n", "a": ""},
            reproduce="collector-harness run 'scenarios/orders.scenario.yaml::orders are "
            "routed[unknown]' --seed 7",
        ),
    )


def crash() -> CaseFinished:
    """A node that died, with more log than a short card shows."""
    return CaseFinished(
        case="crash.scenario.yaml::survives a crash",
        scenario="survives a crash",
        source="crash.scenario.yaml",
        outcome=Outcome.CRASHED,
        seconds=61.4,
        failure=Failure(
            message="node 'a' ended with exit status 1",
            step="2  dispatch shop/conformance.Probe.Crash via a",
            route=("a",),
            logs={"a": "".join(f"log line {number}\n" for number in range(1, 10))},
        ),
    )


def hostile() -> CaseFinished:
    """A target that answers with terminal escapes, markup, bidirectional tricks and floods."""
    flood = "x" * 5_000
    return CaseFinished(
        case="evil.scenario.yaml::\x1b[31mred[/red]\x07",
        scenario="\x1b[31mred[/red]\x07",
        source="evil.scenario.yaml",
        outcome=Outcome.FAILED,
        seconds=0.5,
        failure=Failure(
            message="said \x1b]0;owned\x07 [bold]loudly[/bold]\r\nand \u202ebackwards",
            mismatches=tuple(
                Mismatch(path=f"field{number}\x9b2J", expected="'\ud800'", actual=flood)
                for number in range(12)
            ),
            answer={"text\x1b": ["\u2028", b"\x00", float("nan"), flood]} | {
                f"key{number}": number for number in range(30)
            },
            logs={f"node{number}": f"\x1b[2J{number}\n" for number in range(6)},
        ),
    )  # fmt: skip


def bare() -> CaseFinished:
    """The least that a failure can say."""
    return CaseFinished(
        case="a.scenario.yaml::a",
        scenario="a",
        source="a.scenario.yaml",
        outcome=Outcome.ERROR,
        seconds=0,
        failure=Failure(message="the payload does not fit: 'colour' is not a field of shop.Item"),
    )


FAILURES: dict[str, Callable[[], CaseFinished]] = {
    "mismatch": mismatch,
    "crash": crash,
    "hostile": hostile,
    "bare": bare,
}


@pytest.fixture(params=sorted(FAILURES))
def typical_failure(request: pytest.FixtureRequest) -> tuple[str, CaseFinished]:
    return request.param, FAILURES[request.param]()


@pytest.fixture
def failures() -> dict[str, CaseFinished]:
    return {name: make() for name, make in FAILURES.items()}
