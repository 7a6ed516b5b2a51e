"""Failures as they typically come, shared by the tests of the reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from collector_harness.errors import Position
from collector_harness.events import (
    CallFinished,
    CaseFinished,
    CaseStarted,
    Event,
    Failure,
    Mismatch,
    Outcome,
    RequirementJudged,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    Totals,
    VerdictReached,
)
from collector_harness.reports.jsonl import encode


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


HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e\x1b[2J\x07"
)
"""What a target could say to be taken for something else."""


def call_of(case: str, **changed: object) -> CallFinished:
    values: dict[str, object] = {
        "case": case,
        "step": "1",
        "node": "hub",
        "rpc": "/collector.CollectiveDispatcher/Dispatch",
        "request": {"namespace": "shop", "service": {"service_name": "P"}, "method_name": "Who"},
        "status": "OK",
        "layer": "http-like",
        "message": "",
        "response": {"handled_by_collector_id": "a"},
        "handled_by": "a",
        "seconds": 0.01,
        "at": 0.05,
    }
    return CallFinished(**{**values, **changed})  # type: ignore[arg-type]


TOPOLOGY = {
    "nodes": [
        {"name": "hub", "kind": "target", "namespaces": ["shop"]},
        {"name": "a", "kind": "reference", "namespaces": ["shop"]},
        {"name": "b", "kind": "peer", "namespaces": []},
    ],
    "links": [["hub", "a"], ["hub", "b"]],
    "left_out": 0,
}


def case_events(
    case: str, failure: Failure | None = None, requirements: tuple[str, ...] = ()
) -> list[Event]:
    source, _, scenario = case.partition("::")
    outcome = Outcome.PASSED if failure is None else Outcome.FAILED
    return [
        CaseStarted(
            case=case,
            scenario=scenario,
            source=source,
            requirements=requirements,
            topology=TOPOLOGY,
        ),
        StepStarted(case=case, step="1", title="fault kill a", action="fault", at=0.02),
        StepStarted(case=case, step="1.1", title="dispatch Who", action="dispatch", at=0.03),
        call_of(case, step="1.1"),
        call_of(case, step="1.1", status="UNAVAILABLE", handled_by=None, at=0.07, message=HOSTILE),
        StepFinished(case=case, step="1.1", outcome=outcome, seconds=0.06),
        StepFinished(case=case, step="1", outcome=outcome, seconds=0.08),
        CaseFinished(
            case=case,
            scenario=scenario,
            source=source,
            outcome=outcome,
            seconds=0.1,
            requirements=requirements,
            failure=failure,
        ),
    ]


def broken(reproduce: str = "collector-harness run x") -> Failure:
    return Failure(
        message="the expectation was not met",
        position=Position(source="a.scenario.yaml", line=3, column=5, text="    expect: {}"),
        step="1.1: dispatch Who",
        mismatches=(Mismatch(path="status", expected='"OK"', actual=HOSTILE),),
        answer={"status": "UNAVAILABLE", "text": HOSTILE},
        request={"namespace": "shop"},
        called="hub: /collector.CollectiveDispatcher/Dispatch",
        route=("hub", "a"),
        logs={"hub": f"line\n{HOSTILE}\n" + "x" * 3_000_000},
        reproduce=reproduce,
        by_hand="grpcurl -plaintext 127.0.0.1:1 a.B/C",
    )


def run_events(cases: list[list[Event]], **started: object) -> list[Event]:
    every = [event for case in cases for event in case]
    ends = [event for event in every if isinstance(event, CaseFinished)]
    failed = sum(end.outcome is not Outcome.PASSED for end in ends)
    values: dict[str, object] = {"seed": 7, "scenarios": len(cases), "cases": len(cases)}
    values |= {"target": "reference", "began": "2026-01-31T12:00:00Z", **started}
    totals = Totals(scenarios=len(cases), cases=len(ends), passed=len(ends) - failed, failed=failed)
    return [
        RunStarted(**values),  # type: ignore[arg-type]
        *every,
        RunFinished(totals=totals, seconds=1.5, exit_code=int(failed > 0)),
    ]


def verdict_events() -> list[Event]:
    good, bad = "dsp/DSP-004.scenario.yaml::good", "dsp/DSP-011.scenario.yaml::bad"
    events = run_events([case_events(good), case_events(bad, broken())], target=HOSTILE)
    judged = [
        ("REG-001", "MUST", "unsupported", (), "it cannot be seen"),
        ("DSP-004", "MUST", "pass", (good,), ""),
        ("DSP-011", "MUST", "fail", (bad,), f"status: was {HOSTILE}"),
        ("DSP-015", "SHOULD", "fail", (bad,), "status: was another"),
        ("DSP-016", "SHOULD", "deselected", (), "not selected"),
    ]
    events[-1:-1] = [
        RequirementJudged(
            requirement=key,
            level=level,
            text=f"the text of {key}",
            sources=("the dispatch document",),
            verdict=verdict,
            reason=reason,
            cases=cases,
            reproduce="" if verdict == "pass" else f"collector-harness verify x -k {key}",
        )
        for key, level, verdict, cases, reason in judged
    ]
    events[-1:-1] = [
        VerdictReached(
            suite_version="1",
            target=HOSTILE,
            totals={"pass": 1, "fail": 2, "unsupported": 1, "deselected": 1},
            families={"REG": "the registry", "DSP": "dispatching"},
            findings=("an entry of the known failures matches nothing",),
        )
    ]
    return events


@dataclass(frozen=True)
class Made:
    """Makes events as runs tell them."""

    hostile: str = HOSTILE
    case = staticmethod(case_events)
    run = staticmethod(run_events)
    call = staticmethod(call_of)
    broken = staticmethod(broken)
    verdict = staticmethod(verdict_events)

    def write(self, path: Path, events: list[Event]) -> Path:
        path.write_text("".join(f"{encode(event)}\n" for event in events))
        return path


@pytest.fixture
def made() -> Made:
    return Made()
