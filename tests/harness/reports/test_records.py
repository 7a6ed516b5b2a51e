"""The JSON lines, the totals file, and several reports at once."""

from __future__ import annotations

import enum
import json
import os
import stat
from pathlib import Path

import pytest

from collector_harness.errors import EnvironmentLacks
from collector_harness.events import (
    CallFinished,
    CaseFinished,
    Event,
    Notice,
    RunFinished,
    RunStarted,
    Totals,
)
from collector_harness.reports import FanOut, JsonLinesReport, TotalsReport
from collector_harness.reports.jsonl import encode

STARTED = RunStarted(seed=7, scenarios=1, cases=2, target="reference")
FINISHED = RunFinished(
    totals=Totals(scenarios=1, cases=2, passed=1, failed=1), seconds=0.25, exit_code=1
)


def call(response: object) -> CallFinished:
    return CallFinished(
        case="c",
        step="1",
        node="a",
        rpc="/x.Y/Z",
        request={},
        status="OK",
        layer="grpc",
        message="",
        response=response,
        handled_by=None,
        seconds=0.1,
    )


def test_every_line_is_on_disk_as_soon_as_its_event_happened(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    report = JsonLinesReport(path)
    for number, event in enumerate((STARTED, Notice(message="hm"), FINISHED), start=1):
        report(event)
        assert len(path.read_text().splitlines()) == number
    report.close()
    report.close()
    kinds = [json.loads(each)["kind"] for each in path.read_text().splitlines()]
    assert kinds == ["RunStarted", "Notice", "RunFinished"]


def test_the_stream_opens_with_its_version_and_closes_with_the_verdict(tmp_path: Path) -> None:
    first, last = (json.loads(encode(event)) for event in (STARTED, FINISHED))
    assert first == {
        "kind": "RunStarted",
        "seed": 7,
        "scenarios": 1,
        "cases": 2,
        "target": "reference",
        "version": 1,
        "began": "",
        "part": None,
        "asked": [],
    }
    assert last["exit_code"] == 1
    assert last["totals"] == {
        "scenarios": 1,
        "cases": 2,
        "passed": 1,
        "failed": 1,
        "unsupported": 0,
    }


def test_a_failure_is_recorded_whole(failures: dict[str, CaseFinished]) -> None:
    for finished in failures.values():
        assert finished.failure is not None
        record = json.loads(encode(finished))
        assert record["outcome"] == finished.outcome.value
        assert record["failure"]["message"] == finished.failure.message
        assert len(record["failure"]["mismatches"]) == len(finished.failure.mismatches)


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (b"\x00\xff", "AP8="),
        ({1: {"a": (1, 2)}}, {"1": {"a": [1, 2]}}),
        (Colour.RED, "red"),
        ("\ud800\u2028\x1b", "\ud800\u2028\x1b"),
        (2**70, 2**70),
        (True, True),
    ],
)
def test_any_answer_becomes_json(value: object, written: object) -> None:
    text = encode(call(value))
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text)["response"] == written


def test_a_stream_that_cannot_be_opened_is_told_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentLacks, match="cannot write the event stream"):
        JsonLinesReport(tmp_path / "missing" / "events.jsonl")


def test_the_totals_appear_when_the_run_has_finished(tmp_path: Path) -> None:
    path = tmp_path / "totals.json"
    report = TotalsReport(path)
    report(STARTED)
    assert not path.exists()
    report(FINISHED)
    report.close()
    assert json.loads(path.read_text()) == {
        "scenarios": 1,
        "cases": 2,
        "passed": 1,
        "failed": 1,
        "unsupported": 0,
        "seconds": 0.25,
        "seed": 7,
        "exit_code": 1,
        "interrupted": False,
    }
    assert list(tmp_path.iterdir()) == [path]


def test_the_totals_of_an_earlier_run_do_not_survive_one_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "totals.json"
    path.write_text('{"failed": 0}')
    report = TotalsReport(path)
    report(STARTED)
    report.close()
    assert not path.exists()


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        report = TotalsReport(path)
        report(FINISHED)
        assert json.loads(os.read(reader, 10_000))["cases"] == 2
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize("name", ["missing/totals.json", "."])
def test_totals_that_cannot_be_written_are_told_before_the_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(EnvironmentLacks, match="cannot write the totals"):
        TotalsReport(tmp_path / name)


class Recording:
    def __init__(self, error: Exception | None = None) -> None:
        self.events: list[Event] = []
        self.closed = 0
        self.error = error

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if self.error:
            raise self.error

    def close(self) -> None:
        self.closed += 1


def test_every_report_gets_every_event_in_order() -> None:
    first, second = Recording(), Recording()
    with FanOut([first, second]) as reports:
        reports(STARTED)
        reports(FINISHED)
    assert first.events == second.events == [STARTED, FINISHED]
    assert first.closed == second.closed == 1


def test_a_report_that_breaks_spoils_no_other_and_is_told_at_the_end() -> None:
    broken, good = Recording(OSError("disk full")), Recording()
    reports = FanOut([broken, good])
    reports(STARTED)
    reports(FINISHED)
    assert broken.events == [STARTED]
    assert good.events == [STARTED, FINISHED]
    with pytest.raises(OSError, match="disk full"):
        reports.close()
    assert broken.closed == good.closed == 1
    reports.close()
