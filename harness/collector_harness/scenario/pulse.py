"""Whether this process was held up: by a machine with too much to do, or by somebody on its loop.

What is seen meanwhile says nothing about time: deadlines pass while nobody could have answered.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Final, Self

__all__ = ["HELD_UP", "Pulse"]

HELD_UP: Final = 0.5
"""Seconds by which a loop wakes somebody too late that has less than it can do."""
_BEAT: Final = 0.05
_KEPT: Final = 10_000


class Pulse:
    """Feels, from entering to leaving it, how late the loop wakes whom it has promised to wake."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        """When somebody was woken too late, on the loop's clock, and by how much."""
        self._last = 0.0
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._last = asyncio.get_running_loop().time()
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._beating is not None
        self._beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._beating

    def held_up_since(self, moment: float) -> float:
        """Returns the longest time in seconds for which the loop was held up since a moment on its
        clock; 0 where that is less than `HELD_UP`.
        """
        # Whoever asks may have been woken before the pulse is.
        self._feel()
        return max((late for when, late in self._late if when >= moment), default=0.0)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            self._feel()
            self._last = asyncio.get_running_loop().time()

    def _feel(self) -> None:
        now = asyncio.get_running_loop().time()
        late = now - self._last - _BEAT
        if late >= HELD_UP:
            self._late.append((now, late))
