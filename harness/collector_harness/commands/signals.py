"""Runs a command's coroutine until it ends or somebody interrupts it, and cleans up either way.

The loop runs on the main thread. The first SIGINT or SIGTERM cancels the work, which then
stops what it started; the second leaves at once, and what runs in processes of its own is
ended by its reaper.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from collector_harness.errors import ExitCode
from collector_harness.heap import begin_work

__all__ = ["run_until_signalled"]


def run_until_signalled(
    work: Callable[[], Coroutine[Any, Any, int]],
    *,
    terminated: int = ExitCode.INTERRUPTED,
    give_back: Callable[[], None] = lambda: None,
) -> int:
    """Runs `work` to its end and returns the exit code that it returns.

    An interrupt cancels it; then the code is 130, or `terminated` where it was SIGTERM.
    `give_back` is called before leaving at once, to give the terminal back.
    """
    begin_work()
    return asyncio.run(_guarded(work, terminated=terminated, give_back=give_back))


async def _guarded(
    work: Callable[[], Coroutine[Any, Any, int]],
    *,
    terminated: int,
    give_back: Callable[[], None],
) -> int:
    loop = asyncio.get_running_loop()
    task = loop.create_task(work())
    received: list[signal.Signals] = []

    def arrived(number: signal.Signals) -> None:
        received.append(number)
        if len(received) > 1:
            give_back()
            os._exit(ExitCode.INTERRUPTED)
        task.cancel()
        with contextlib.suppress(OSError):  # who read it may be gone
            sys.stderr.write("\nstopping what was started; once more leaves at once\n")
            sys.stderr.flush()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, arrived, number)
    code: int = ExitCode.INTERRUPTED
    try:
        code = await task
    except asyncio.CancelledError:
        if not received:
            raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    if not received:
        return code
    return terminated if received[0] is signal.SIGTERM else ExitCode.INTERRUPTED
