"""pytest keeps the event stream of the scenarios that it runs, in one process and in several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collector_harness.reports.reading import read_stream
from collector_harness.reports.recording import recorded

SCENARIO = """\
version: 1
scenario: who answers is told
requirements: [DSP-003]
topology: {nodes: {only: {namespaces: [shop], probe: [shop]}}}
cases:
  known: {method: WhoAmI, status: OK}
  unknown: {method: Nope, status: OK}
steps:
  - dispatch: shop/conformance.Probe.${case.method}
    via: only
    expect: {status: "${case.status}"}
"""

FILES = {"a.scenario.yaml": SCENARIO, "b.scenario.yaml": SCENARIO}


@pytest.mark.parametrize("more", [[], ["-n", "2"]])
def test_the_stream_and_the_page_hold_all_cases_of_all_workers(project, more: list[str]) -> None:
    pytester = project(FILES)
    result = pytester.runpytest_subprocess(
        "--collector-jsonl", "all.jsonl", "--collector-html", "all.html", *more
    )
    assert result.parseoutcomes() == {"passed": 2, "failed": 2}
    recording = recorded(read_stream(pytester.path / "all.jsonl").events)
    assert sorted(case.outcome for case in recording.cases.values()) == [
        "failed",
        "failed",
        "passed",
        "passed",
    ]
    assert all(case.calls and case.steps for case in recording.cases.values())
    assert (recording.exit_code, recording.incomplete) == (1, "")
    assert recording.started is not None
    assert recording.started.cases == 4
    assert "2 of 4 cases failed" in (pytester.path / "all.html").read_text()
    assert not list(Path(pytester.path).glob(".*partial"))


def test_a_worker_that_dies_leaves_a_stream_that_is_cut_off(project) -> None:
    killer = "import os\ndef test_it(): os._exit(3)\n"
    pytester = project({"a.scenario.yaml": SCENARIO, "test_z.py": killer})
    result = pytester.runpytest_subprocess(
        "--collector-jsonl", "all.jsonl", "-n", "1", "--max-worker-restart", "0"
    )
    assert result.ret != 0
    lines = (pytester.path / "all.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["kind"] != "RunFinished"
    assert recorded(read_stream(pytester.path / "all.jsonl").events).exit_code == 1


def test_a_file_that_cannot_be_written_is_a_usage_error(project) -> None:
    result = project(FILES).runpytest_inprocess("--collector-html", "nowhere/all.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cannot write *nowhere/all.html*"])
