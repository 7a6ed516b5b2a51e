"""However the harness dies, its processes, what they started, and its folders go with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from collector_harness.launchers.contract import RUN_MARKER
from collector_harness.launchers.reaper import Reaper
from collector_harness.launchers.reaper_process import end_marked, marked, start_of

# Two nodes, one of which has a child that left its process group, and a guarded folder.
HARNESS = """
import asyncio, sys
from pathlib import Path
from collector_harness.launchers.reaper import the_reaper
from collector_harness.mesh import Mesh
from collector_harness.topology.values import Link, Node, Topology

async def main():
    folder = Path(sys.argv[1])
    the_reaper().guard_folder(folder)
    mesh = Mesh(Topology(nodes=(
        Node(name="reference", collector="exec:{executable} -m collector_reference"),
        Node(name="parent", collector="exec:{executable} -c '" + PARENT + "'"),
    )))
    await mesh.start()
    print("up", the_reaper().pid, the_reaper().marker, flush=True)
    await asyncio.Event().wait()

PARENT = '''
import signal, subprocess, sys
from http.server import HTTPServer
import grpc
from concurrent.futures import ThreadPoolExecutor
subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"],
                 start_new_session=True)
server = grpc.server(ThreadPoolExecutor(1))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print("collector listening on 127.0.0.1:%d" % port, flush=True)
signal.pause()
'''.replace("'", '"')

asyncio.run(main())
"""


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def harness(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C of a terminal is for this process alone here, as its nodes have own groups.
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        told = process.stdout.readline().split()
        assert told[:1] == ["up"], process.stderr.read() if process.stderr else ""
        yield process, int(told[1]), told[2]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_harness_that_dies_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "file").write_text("x")
    with harness(folder) as (process, reaper, run):
        marker = f"{RUN_MARKER}={run}".encode()
        # Both nodes, and the child that left its group.
        assert len(marked(marker)) == 3
        os.kill(process.pid, number)
        wait_for(lambda: process.poll() is not None)
        wait_for(lambda: not marked(marker))
        wait_for(lambda: not folder.exists())
        wait_for(lambda: not psutil.pid_exists(reaper))


def test_a_reaper_survives_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    with harness(folder) as (process, reaper, _):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(reaper, number)
        assert psutil.Process(reaper).is_running()
        process.kill()
        wait_for(lambda: not folder.exists())


def test_a_reaper_that_was_killed_is_replaced_and_told_everything(tmp_path: Path) -> None:
    kept, released = tmp_path / "kept", tmp_path / "released"
    for folder in (kept, released):
        folder.mkdir()
    reaper = Reaper()
    reaper.guard_folder(kept)
    first = reaper.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: psutil.Process(first).status() == psutil.STATUS_ZOMBIE)
    reaper.guard_folder(released)
    assert reaper.pid != first
    reaper.release_folder(released)
    reaper.close()
    assert reaper.pid is None
    assert not kept.exists()
    assert released.exists()


def test_a_reaper_ends_the_groups_that_are_left() -> None:
    reaper = Reaper()
    children = [
        subprocess.Popen(
            [sys.executable, "-S", "-c", "import signal; signal.pause()"], start_new_session=True
        )
        for _ in range(2)
    ]
    try:
        for child in children:
            reaper.guard_group(child.pid)
        reaper.release_group(children[1].pid)
        reaper.close()
        assert children[0].wait(timeout=10) == -signal.SIGKILL
        assert children[1].poll() is None
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_only_processes_of_the_run_are_ended() -> None:
    reaper = Reaper()
    environment = {**os.environ, RUN_MARKER: reaper.marker}
    stranger_environment = {**os.environ, RUN_MARKER: f"{reaper.marker}x"}
    command = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
    ours = subprocess.Popen(command, env=environment)
    stranger = subprocess.Popen(command, env=stranger_environment)
    try:
        marker = f"{RUN_MARKER}={reaper.marker}".encode()
        wait_for(lambda: marked(marker) == [ours.pid])
        reaper.start()
        # A child that is not reaped stays visible: its environment does not.
        reaper.close()
        assert ours.wait(timeout=10) == -signal.SIGKILL
        assert stranger.poll() is None
        end_marked(marker)
    finally:
        for child in (ours, stranger):
            child.kill()
            child.wait()


def test_a_fork_does_not_hold_the_pipe(tmp_path: Path) -> None:
    source = """
import os, sys
from pathlib import Path
from collector_harness.launchers.reaper import the_reaper
the_reaper().guard_folder(Path(sys.argv[1]))
if os.fork() == 0:
    import signal
    print(os.getpid(), the_reaper().pid, flush=True)
    signal.pause()
os.wait()
"""
    folder = tmp_path / "scratch"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", source, str(folder)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        child, reaper_of_child = process.stdout.readline().split()
        assert reaper_of_child == "None"
        process.kill()
        process.wait()
        try:
            wait_for(lambda: not folder.exists())
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_the_start_of_a_process_tells_it_from_another() -> None:
    assert start_of(os.getpid()) == start_of(os.getpid()) is not None
    assert start_of(2**22 + 1) is None


def test_the_program_of_the_reaper_needs_the_standard_library_only() -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-X",
            "importtime",
            str(Path(sys.modules[Reaper.__module__].__file__ or "").with_name("reaper_process.py")),
            f"{RUN_MARKER}=nobody",
        ],
        input="not json\n[]\n[1, 2]\n",
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert "collector_harness" not in ended.stderr
    assert "grpc" not in ended.stderr
    assert ended.stdout == ""
