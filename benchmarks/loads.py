"""How a client loads a server, and what it reads off: a rate, or the median time of a call.

Whom it calls and what it says is passed in as one callable, so that every side of
a contest is loaded by the same code.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

__all__ = ["Call", "median_milliseconds", "rate"]

Call = Callable[[], Awaitable[None]]
"""Makes one call, and raises `MeasurementFailed` when the answer is not the right one."""


async def rate(call: Call, *, streams: int, window: timedelta) -> float:
    """Returns how many calls per second end when `streams` callers call without a pause."""
    started = time.perf_counter()
    end = started + window.total_seconds()
    done = 0

    async def stream() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await call()
            done += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(streams):
            group.create_task(stream())
    return done / (time.perf_counter() - started)


async def median_milliseconds(call: Call, *, calls: int) -> float:
    """Returns the median time of a call, when one caller calls `calls` times in a row."""
    times = []
    for _ in range(calls):
        started = time.perf_counter()
        await call()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000
