"""Trying again with growing pauses, until a limit is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

__all__ = ["pauses"]

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1


async def pauses(limit: timedelta) -> AsyncIterator[None]:
    """Yields at once, then after growing pauses, until the limit is over."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit.total_seconds()
    pause = _FIRST_PAUSE
    yield
    while (left := end - loop.time()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)
        yield
