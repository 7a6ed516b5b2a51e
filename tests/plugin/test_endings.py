"""However a run ends, no process, thread, port or temporary file of it is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

TARGET = "exec:{executable} -m collector_reference"
PATIENCE = 20.0
"""Seconds that a process may take to end; many times what it takes."""

PROCESSES = """
    import os, signal
    import pytest

    @pytest.mark.topology("nodes: {west: {probe: [shop]}, east: {}}\\nlinks: [west -> east]")
    def test_it(topology, request):
        assert topology["west"].collector is None
        print(f"\\nready {os.getpid()}", flush=True)
        ending = os.environ.get("ENDING")
        assert ending != "fail"
        if ending == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if ending == "wait":
            topology["west"].serve(
                "shop", "conformance.Probe", "Sleep",
                {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "600s"},
                timeout=600,
            )
"""


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Marks every process that is started from now on; returns what finds the living ones."""
    mark = f"TEST_OF_THE_HARNESS_{os.getpid()}_{abs(hash(tmp_path))}"
    monkeypatch.setenv(mark, "1")

    def living() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if mark in process.environ() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    return living


def assert_ended(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert [process.cmdline() for process in alive] == []


@pytest.mark.parametrize(("ending", "outcomes"), [("pass", {"passed": 1}), ("fail", {"failed": 1})])
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "in a worker"])
def test_nothing_is_left_after_the_end(
    project, scratch: Path, marked, monkeypatch, ending: str, outcomes: dict[str, int], workers
) -> None:
    monkeypatch.setenv("ENDING", ending)
    pytester = project({"test_it.py": PROCESSES})

    result = pytester.runpytest_subprocess("--collector-target", TARGET, *workers)

    assert result.parseoutcomes() == outcomes
    assert_ended(marked())
    assert list(scratch.iterdir()) == []


def test_nothing_is_left_after_a_worker_was_killed(
    project, scratch: Path, marked, monkeypatch
) -> None:
    monkeypatch.setenv("ENDING", "kill")
    pytester = project({"test_it.py": PROCESSES})

    result = pytester.runpytest_subprocess("--collector-target", TARGET, "-n", "1")

    assert result.parseoutcomes()["failed"] == 1
    assert_ended(marked())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after_a_signal(
    project, marked, monkeypatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("ENDING", "wait")
    pytester = project({"test_it.py": PROCESSES})
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", "--collector-target", TARGET],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if line.startswith("ready"):
                break
        started = marked()
        run.send_signal(number)
        said = run.stdout.read()

    assert len(started) == 4, "pytest, the reaper and two collectors"
    assert_ended(started)
    assert_ended(marked())
    if number is signal.SIGINT:
        assert run.returncode == pytest.ExitCode.INTERRUPTED
        assert re.search(r"KeyboardInterrupt", said)


def test_no_thread_of_ours_is_left_when_pytest_has_ended(project, scenarios) -> None:
    pytester = project(
        {
            "calls.scenario.yaml": scenarios["passing"],
            "test_it.py": "def test_it(collector): pass",
            "conftest.py": """
                import atexit, threading

                @atexit.register
                def tell():
                    names = [thread.name for thread in threading.enumerate()]
                    print("ours:", [name for name in names if "collector" in name])
            """,
        }
    )

    result = pytester.runpytest_subprocess("-s")

    assert result.parseoutcomes() == {"passed": 3}
    result.stdout.fnmatch_lines(["ours: [[][]]"])


def test_a_target_that_does_not_start_is_told_without_a_traceback(
    project, scenarios, scratch: Path, marked
) -> None:
    program = "import sys; print('no licence', file=sys.stderr); sys.exit(3)"
    pytester = project(
        {
            "test_it.py": "def test_it(collector): pass",
            "calls.scenario.yaml": scenarios["passing"],
            "target.py": program,
        }
    )

    result = pytester.runpytest_subprocess("--collector-target", "exec:{executable} target.py")

    assert result.parseoutcomes() == {"failed": 2, "errors": 1}
    result.stdout.fnmatch_lines(["*no licence*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert_ended(marked())
    assert list(scratch.iterdir()) == []
