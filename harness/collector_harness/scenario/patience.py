"""How long something is tried again, and with which pauses in between."""

from __future__ import annotations

import asyncio
import time

from collector_harness.scenario.model import Eventually
from collector_harness.scenario.steps.base import Place

__all__ = ["Patience"]

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0


class Patience:
    """The tries of one `eventually`."""

    def __init__(self, wanted: Eventually, at: Place) -> None:
        self._limit = at.scope.duration(wanted.within).total_seconds()
        self._pause = (
            _FIRST_PAUSE
            if wanted.backoff is None
            else at.scope.duration(wanted.backoff).total_seconds()
        )
        self._end = time.monotonic() + self._limit
        self.tries = 0

    async def more(self) -> bool:
        """Waits for the next try; returns False when the time is up."""
        self.tries += 1
        left = self._end - time.monotonic()
        if left <= 0:
            return False
        await asyncio.sleep(min(self._pause, left))
        self._pause = min(self._pause * 2, max(_LONGEST_PAUSE, self._pause))
        return True

    def told(self) -> str:
        """Returns what a message adds about the tries."""
        return f" ({self.tries} tries within {self._limit:g}s)"
