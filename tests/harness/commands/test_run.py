"""`run` runs scenarios and says how they went, to people and to programs."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Background = Callable[..., subprocess.Popen[str]]

ROUTED = """\
version: 1
scenario: calls are routed
requirements: [DSP-004]
tags: [quick]
topology:
  nodes:
    hub: {namespaces: [shop]}
    a: {namespaces: [shop], probe: [shop]}
  links: [hub -> a]
cases:
  known: {method: WhoAmI, status: OK}
  unknown: {method: Nope, status: NOT_FOUND}
steps:
  - dispatch: shop/conformance.Probe.${case.method}
    via: hub
    expect:
      status: ${case.status}
"""

BROKEN = ROUTED.replace("calls are routed", "nothing is right").replace("NOT_FOUND", "OK")

ENDLESS = """\
version: 1
scenario: a call takes long
topology: {nodes: {only: {namespaces: [shop], probe: [shop]}}}
steps:
  - dispatch: shop/conformance.Probe.Sleep
    via: only
    deadline: 50s
    input: {"@type": type.googleapis.com/google.protobuf.Duration, value: 45s}
    expect: {status: OK}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    for name, text in {"routed": ROUTED, "broken": BROKEN, "endless": ENDLESS}.items():
        (tmp_path / f"{name}.scenario.yaml").write_text(text)
    return tmp_path


@pytest.mark.usefixtures("suite")
def test_a_run_where_all_is_well_ends_with_zero_a_table_and_a_summary(run: Run) -> None:
    ended = run("run", "routed.scenario.yaml", "--seed", "7")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    first, *_, row, _, last = ended.stdout.splitlines()
    assert first == "2 cases of 1 scenario on reference, seed 7"
    assert row.split()[:6] == ["calls", "are", "routed", "2", "2", "0"]
    assert last.startswith("1 scenario, 2 cases: 2 passed, 0 failed in ")
    assert last.endswith(" (seed 7)")


def test_the_mesh_of_a_run_is_on_ephemeral_ports_of_the_loopback(run: Run, suite: Path) -> None:
    run("run", "routed.scenario.yaml", "--jsonl", "events.jsonl")
    events = [json.loads(text) for text in (suite / "events.jsonl").read_text().splitlines()]
    nodes = [event["nodes"] for event in events if event["kind"] == "MeshStarted"]
    assert nodes
    for each in nodes:
        assert set(each) == {"hub", "a"}
        assert all(address.startswith("127.0.0.1:") for address in each.values())


def test_the_totals_and_the_stream_are_files_for_programs(run: Run, suite: Path) -> None:
    ended = run(
        *("run", "broken.scenario.yaml", "routed.scenario.yaml", "--seed", "7"),
        *("--json", "totals.json", "--jsonl", "events.jsonl"),
    )
    assert ended.returncode == 1
    totals = json.loads((suite / "totals.json").read_text())
    assert totals.pop("seconds") > 0
    assert totals == {
        "scenarios": 2,
        "cases": 4,
        "passed": 3,
        "failed": 1,
        "unsupported": 0,
        "seed": 7,
        "exit_code": 1,
        "interrupted": False,
    }
    events = [json.loads(text) for text in (suite / "events.jsonl").read_text().splitlines()]
    assert events[0]["kind"] == "RunStarted"
    assert events[-1]["kind"] == "RunFinished"
    finished = [event for event in events if event["kind"] == "CaseFinished"]
    assert sorted(event["outcome"] for event in finished) == ["failed"] + 3 * ["passed"]
    assert any(event["kind"] == "CallFinished" for event in events)


@pytest.mark.usefixtures("suite")
def test_a_failure_is_explained_and_its_last_line_reproduces_it(run: Run) -> None:
    ended = run("run", "broken.scenario.yaml")
    assert ended.returncode == 1
    card = ended.stdout.partition("\n\n")[2]
    assert card.startswith("FAILED  broken.scenario.yaml::nothing is right[unknown]")
    assert "--> broken.scenario.yaml:17:7\n     17 |       status: ${case.status}\n" in card
    assert '    status\n      - expected "OK"\n      + was      "NOT_FOUND"\n' in card
    assert "DSP-004 MUST " in card
    pasted = card.partition("reproduce:\n")[2].splitlines()[0].strip()
    again = run(*shlex.split(pasted)[1:])
    assert again.returncode == 1
    assert again.stdout.startswith("1 case of 1 scenario on reference, ")
    assert "FAILED  broken.scenario.yaml::nothing is right[unknown]" in again.stdout


@pytest.mark.usefixtures("suite")
def test_verbose_shows_every_call(run: Run) -> None:
    ended = run("run", "routed.scenario.yaml", "-v", "-k", "known and not unknown")
    assert ended.returncode == 0
    assert "hub /collector.CollectiveDispatcher/Dispatch OK (http-like) by a" in ended.stdout


@pytest.mark.usefixtures("suite")
def test_the_cases_are_listed_without_running(run: Run) -> None:
    ended = run("run", ".", "--list", "-k", "quick and not nothing")
    assert ended.returncode == 0
    assert ended.stdout == (
        "routed.scenario.yaml::calls are routed[known]\n"
        "routed.scenario.yaml::calls are routed[unknown]\n"
    )


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(
    ("keywords", "count"), [("DSP-004", 4), ("right or endless", 3), ("[known]", 2)]
)
def test_cases_are_selected_by_what_they_are_called_and_stand_for(
    run: Run, keywords: str, count: int
) -> None:
    assert len(run("run", ".", "--list", "-k", keywords).stdout.splitlines()) == count


def test_nothing_selected_is_no_success(run: Run, suite: Path) -> None:
    (suite / "totals.json").write_text("{}")
    ended = run("run", ".", "-k", "nonesuch", "--json", "totals.json")
    assert ended.returncode == 4
    assert "none of 5 cases matches -k 'nonesuch'" in ended.stderr
    assert not (suite / "totals.json").exists()


@pytest.mark.usefixtures("suite")
def test_a_case_that_does_not_exist_is_told_with_a_suggestion(run: Run) -> None:
    ended = run("run", "routed.scenario.yaml::calls are routed[unknwon]")
    assert ended.returncode == 2
    assert "did you mean 'routed.scenario.yaml::calls are routed[unknown]'?" in ended.stderr


def test_every_problem_of_every_file_is_told_before_anything_starts(run: Run, suite: Path) -> None:
    (suite / "one.scenario.yaml").write_text(ROUTED.replace("    via: hub", "    vai: hub"))
    (suite / "two.scenario.yaml").write_text(ROUTED.replace("hub -> a", "hub -> b"))
    ended = run("run", ".")
    assert ended.returncode == 2
    assert "one.scenario.yaml:15:" in ended.stderr
    assert "two.scenario.yaml:9:" in ended.stderr
    assert "^" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.usefixtures("suite")
def test_fail_fast_begins_no_case_after_the_first_failure(run: Run) -> None:
    ended = run("run", "broken.scenario.yaml", "routed.scenario.yaml", "-x", "-j", "1")
    assert ended.returncode == 1
    assert "1 failed, 2 not run" in ended.stdout


@pytest.mark.usefixtures("suite")
def test_a_target_that_exits_ends_with_its_own_code(run: Run) -> None:
    target = f"exec:{sys.executable} -c 'raise SystemExit(3)'"
    ended = run("run", "routed.scenario.yaml", "--target", target)
    assert ended.returncode == 5
    assert "CRASHED" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("target", ["nonsense", "exec:", "attach:nowhere"])
def test_a_target_that_cannot_be_read_is_told(run: Run, target: str) -> None:
    ended = run("run", "routed.scenario.yaml", "--target", target)
    assert ended.returncode == 2
    assert target in ended.stderr


@pytest.mark.usefixtures("suite")
def test_a_totals_file_that_cannot_be_written_is_told_before_the_run(run: Run) -> None:
    ended = run("run", "routed.scenario.yaml", "--json", "missing/totals.json")
    assert ended.returncode == 3
    assert "there is no folder missing" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("option", ["--json", "--jsonl"])
def test_a_file_that_cannot_be_written_to_the_end_fails_the_run(run: Run, option: str) -> None:
    ended = run("run", "routed.scenario.yaml", option, "/dev/full")
    assert ended.returncode == 3
    assert "to /dev/full: No space left on device" in ended.stderr
    assert "2 passed, 0 failed" in ended.stdout


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}])
def test_a_reader_that_leaves_early_gets_no_complaint(
    suite: Path, environment: dict[str, str]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "collector_harness", "run", "routed.scenario.yaml"],
        cwd=suite,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_cleans_up_and_says_so(
    background: Background, suite: Path, number: signal.Signals
) -> None:
    process = background(
        "run", "endless.scenario.yaml", "--json", "totals.json", "--jsonl", "events.jsonl"
    )
    assert process.stdout is not None
    for text in process.stdout:
        if text.startswith("mesh "):
            break
    process.send_signal(number)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert rest.splitlines()[-1].startswith("1 scenario, 0 cases: 0 passed, 0 failed, 1 not run")
    assert "; interrupted" in rest
    assert json.loads((suite / "totals.json").read_text())["interrupted"] is True
    events = [json.loads(text) for text in (suite / "events.jsonl").read_text().splitlines()]
    assert [event["kind"] for event in events[-2:]] == ["MeshStopped", "RunFinished"]
    assert "Traceback" not in (suite / "log").read_text()
