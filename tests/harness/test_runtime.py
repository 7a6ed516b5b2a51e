"""The runtime runs coroutines for callers that are not asynchronous, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import subprocess
import sys
import threading

import pytest

from collector_harness.errors import InternalFault
from collector_harness.runtime import Runtime

INTERRUPTED = """
import asyncio, sys
from collector_harness.runtime import Runtime

async def hang():
    try:
        print("begun", flush=True)
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.05)
        print("cleaned up", flush=True)

with Runtime() as runtime:
    try:
        runtime.run(hang())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_the_result_and_the_error_of_a_coroutine_come_back() -> None:
    async def give(value: int) -> int:
        await asyncio.sleep(0)
        return value

    async def fail() -> None:
        raise LookupError("nothing there")

    with Runtime() as runtime:
        assert runtime.run(give(7)) == 7
        with pytest.raises(LookupError, match="nothing there"):
            runtime.run(fail())


def test_close_ends_the_thread_and_what_still_runs() -> None:
    cleaned: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    async def begin() -> asyncio.Task[None]:
        task = asyncio.create_task(linger())
        await asyncio.sleep(0)
        return task

    before = set(threading.enumerate())
    runtime = Runtime()
    task = runtime.run(begin())
    runtime.close()
    runtime.close()
    assert task.cancelled()
    assert cleaned == ["up"]
    assert set(threading.enumerate()) <= before
    assert runtime.closed


def test_a_closed_runtime_says_so() -> None:
    runtime = Runtime()
    runtime.close()
    with pytest.raises(InternalFault, match="closed"):
        runtime.run(asyncio.sleep(0))


def test_a_blocking_call_on_the_runtimes_own_thread_is_refused() -> None:
    async def reenter() -> None:
        runtime.run(asyncio.sleep(0))

    with Runtime() as runtime, pytest.raises(InternalFault, match="wait for itself"):
        runtime.run(reenter())


def test_many_threads_may_use_it_at_once() -> None:
    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return value * 2

    with Runtime() as runtime, concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda value: runtime.run(double(value)), range(100))) == list(
            range(0, 200, 2)
        )


def test_a_task_that_calls_exit_harms_nobody_else() -> None:
    async def leave() -> None:
        sys.exit(3)

    with Runtime() as runtime:
        with pytest.raises(SystemExit):
            runtime.run(leave())
        assert runtime.run(asyncio.sleep(0, result="alive")) == "alive"


def test_an_interruption_awaits_the_clean_up() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.kill(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert rest.splitlines() == ["cleaned up", "interrupted"]
    assert process.returncode == 0


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not begun"])
def test_an_interruption_before_there_is_anything_to_wait_for_leaves_nothing_running(
    begun, monkeypatch
):
    with Runtime() as runtime:
        call_soon = runtime.loop.call_soon_threadsafe

        def interrupted(*arguments):
            monkeypatch.undo()
            if begun:
                call_soon(*arguments)
            raise KeyboardInterrupt

        monkeypatch.setattr(runtime.loop, "call_soon_threadsafe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            runtime.run(asyncio.sleep(600))
        assert not asyncio.all_tasks(runtime.loop)
