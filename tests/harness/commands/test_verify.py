"""`verify` gives a verdict on a collector, and ends with it."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Background = Callable[..., subprocess.Popen[str]]

REFERENCE = f"exec:{sys.executable} -m collector_harness serve"
UNGUARDED = f"{REFERENCE} --validation off"


def test_a_collector_that_meets_what_was_asked_ends_with_zero(run: Run, tmp_path: Path) -> None:
    ended = run("verify", REFERENCE, "-k", "VAL-005", "--json", "verdict.json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "VAL-005" in ended.stdout
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["target"] == REFERENCE
    assert verdict["exit_code"] == 0
    found = {each["id"]: each["verdict"] for each in verdict["requirements"]}
    assert found["VAL-005"] == "pass"
    assert "deselected" in found.values()


def test_a_breach_is_explained_and_its_last_line_reproduces_it(run: Run, tmp_path: Path) -> None:
    ended = run("verify", UNGUARDED, "-k", "VAL-005", "--json", "verdict.json")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "VAL-005  fail  MUST" in ended.stdout
    assert "mismatches:" in ended.stdout
    pasted = ended.stdout.partition("reproduce:\n")[2].splitlines()[0].strip()
    assert shlex.split(pasted)[:3] == ["collector-harness", "verify", UNGUARDED]
    again = run(*shlex.split(pasted)[1:])
    assert again.returncode == 1
    assert "VAL-005  fail  MUST" in again.stdout
    assert json.loads((tmp_path / "verdict.json").read_text())["exit_code"] == 1


def test_the_stream_holds_the_run_behind_the_verdict(run: Run, tmp_path: Path) -> None:
    run("verify", "reference", "-k", "SRV-001", "--jsonl", "events.jsonl")
    kinds = [
        json.loads(text)["kind"] for text in (tmp_path / "events.jsonl").read_text().splitlines()
    ]
    assert kinds[0] == "RunStarted"
    assert kinds[-1] == "RunFinished"
    assert "CallFinished" in kinds


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nonsense"], 2, "'nonsense' is not a target"),
        (["refrence"], 2, "did you mean 'reference'?"),
        (["reference", "-k", "DSP-9999"], 2, "there is no requirement 'DSP-9999'"),
        (["reference", "-k", ""], 4, "selects nothing"),
        ([f"exec:{sys.executable} -c pass", "-k", "SRV-001"], 5, "exit"),
        (["reference", "--json", "missing/verdict.json"], 3, "there is no folder missing"),
    ],
)
def test_a_verdict_that_cannot_be_given_is_no_success(
    run: Run, words: list[str], code: int, said: str
) -> None:
    ended = run("verify", *words)
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_interrupted_verification_tells_what_is_known_so_far(
    background: Background, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "verdict.json").write_text("{}")
    process = background(
        "verify", REFERENCE, "--json", "verdict.json", "--jsonl", "events.jsonl", "-j", "1"
    )
    assert process.stdout is not None
    assert " cases of " in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "interrupted: " in rest
    assert "proves nothing as a whole" in rest
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["interrupted"] is True
    assert verdict["exit_code"] == 130
    assert verdict["totals"]["unfinished"] > 0
    assert "Traceback" not in (tmp_path / "log").read_text()
    for newer in ("verdict.json", "events.jsonl"):
        ended = run("report", "diff", "verdict.json", newer)
        assert ended.returncode == 1, ended.stderr
        assert "incomplete the newer one: the run was interrupted" in ended.stdout
        assert "incomplete the older one: the run was interrupted" in ended.stdout


def test_a_topology_is_held_up_until_it_is_interrupted_and_nothing_is_left(
    background: Background, tmp_path: Path
) -> None:
    process = background("verify", REFERENCE, "--hold", "DSP-004")
    assert process.stdout is not None
    addresses: list[str] = []
    for text in process.stdout:
        addresses += re.findall(r"127\.0\.0\.1:[0-9]+", text)
        if "hub" in text and addresses:
            break
    host, _, port = addresses[0].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10):
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in (tmp_path / "log").read_text()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=10)
