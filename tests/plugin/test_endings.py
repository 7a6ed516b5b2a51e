"""However a run ends, no process, thread, port or temporary file of it is left."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

PROCESSES = ("--collector-target", "exec:{executable} -m collector_reference")
PATIENCE = 60.0
"""Seconds that a process may take to end, or to begin; many times what it takes."""

PROJECT = {
    # A database, so that there is a temporary folder as well.
    "mesh.yaml": """
        nodes: {west: {probe: [shop], store: "sqlite:records"}, east: {}}
        links: [west -> east]
    """,
    "test_it.py": """
        import os, signal, socket
        from pathlib import Path

        import pytest

        @pytest.mark.topology(Path("mesh.yaml"))
        def test_it(topology):
            assert list(Path(os.environ["TMPDIR"]).iterdir())
            match os.environ["ENDING"]:
                case "fail":
                    assert not "this"
                case "exit":
                    pytest.exit("that is enough", returncode=9)
                case "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "wait":
                    with socket.create_connection(("127.0.0.1", int(os.environ["READY"]))) as me:
                        me.recv(1)
                    topology["west"].serve(
                        "shop", "conformance.Probe", "Sleep",
                        {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "600s"},
                        timeout=600,
                    )
    """,
}
"""A test that ends as `ENDING` says, while its mesh is up."""

Living = Callable[[], list[psutil.Process]]
Meeting = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Living:
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


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Iterator[Meeting]:
    """Waits on entering until the test in the project is there too, which then waits for the end
    of the block.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(2 * PATIENCE)
        monkeypatch.setenv("READY", str(listener.getsockname()[1]))

        @contextlib.contextmanager
        def meeting() -> Iterator[None]:
            with listener.accept()[0]:
                yield

        yield meeting


def assert_ended(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert [process.cmdline() for process in alive] == []


WORKER = ("-n", "1")

in_all_ways = pytest.mark.parametrize(
    "options",
    [(), PROCESSES, (*PROCESSES, *WORKER)],
    ids=["in process", "as processes", "as processes of a worker"],
)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("pass", pytest.ExitCode.OK),
        ("fail", pytest.ExitCode.TESTS_FAILED),
        ("exit", 9),
    ],
)
@in_all_ways
def test_nothing_is_left_after_the_end(
    project,
    scratch: Path,
    marked: Living,
    monkeypatch,
    ending: str,
    status: int,
    options: Sequence[str],
) -> None:
    monkeypatch.setenv("ENDING", ending)

    result = project(PROJECT).runpytest_subprocess(*options)

    if not (ending == "exit" and "-n" in options):  # what a worker ends with is xdist's affair
        assert result.ret == status
    assert_ended(marked())
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("target", [(), PROCESSES], ids=["in process", "as processes"])
def test_nothing_is_left_after_a_worker_was_killed(
    project, scratch: Path, marked: Living, monkeypatch, target: Sequence[str]
) -> None:
    monkeypatch.setenv("ENDING", "kill")

    result = project(PROJECT).runpytest_subprocess(*target, *WORKER)

    assert result.parseoutcomes()["failed"] == 1
    assert_ended(marked())
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@in_all_ways
def test_nothing_is_left_after_a_signal(
    project,
    scratch: Path,
    marked: Living,
    ready: Meeting,
    monkeypatch,
    number: signal.Signals,
    options: Sequence[str],
) -> None:
    monkeypatch.setenv("ENDING", "wait")
    pytester = project(PROJECT)
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *options],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Ctrl-C reaches everything in the foreground, and so the workers too.
        start_new_session=True,
    ) as run:
        try:
            with ready():
                started = marked()
            if number is signal.SIGINT:
                os.killpg(run.pid, number)
            else:
                run.send_signal(number)
            said, _ = run.communicate(timeout=PATIENCE)
        except BaseException:
            os.killpg(run.pid, signal.SIGKILL)
            raise

    expected = ["pytest", "the reaper"]
    expected += ["a collector"] * 2 if options else []
    expected += ["the worker"] if "-n" in options else []
    assert len(started) == len(expected), expected
    assert_ended(started)
    assert_ended(marked())
    assert list(scratch.iterdir()) == []
    if number is signal.SIGINT:
        assert run.returncode == pytest.ExitCode.INTERRUPTED, said
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


@pytest.mark.parametrize("workers", [(), WORKER], ids=["alone", "in a worker"])
def test_what_tests_of_this_repository_start_ends_when_pytest_is_killed(
    project, marked: Living, ready: Meeting, workers: Sequence[str]
) -> None:
    pytester = project(
        {
            "conftest.py": (Path(__file__).parents[2] / "conftest.py").read_text(),
            "test_it.py": """
                import os, signal, socket, subprocess, sys

                def test_it():
                    waiting = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
                    started = subprocess.Popen(waiting, start_new_session=True)
                    with socket.create_connection(("127.0.0.1", int(os.environ["READY"]))) as me:
                        me.recv(1)
                    os.kill(os.getpid(), signal.SIGKILL)
            """,
        }
    )
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *workers], cwd=pytester.path, stdout=subprocess.DEVNULL
    ) as run:
        with ready():
            started = marked()
            commands = [process.cmdline() for process in started]
        run.wait(PATIENCE)

    assert [command for command in commands if "signal.pause()" in command[-1]]
    assert_ended(started)
    assert_ended(marked())
