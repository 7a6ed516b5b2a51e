"""Handlers of peers that count a call and then take their time over it."""

from __future__ import annotations

import asyncio

__all__ = ["SlowTill"]


class SlowTill:
    """Counts what it is asked for, whatever becomes of it."""

    def __init__(self) -> None:
        self._asked = 0

    async def Pay(self, _value: object, _context: object) -> None:  # noqa: N802
        """Counts, and does not end before the caller gives up."""
        self._asked += 1
        await asyncio.sleep(60)

    async def Asked(self, _value: object, _context: object) -> int:  # noqa: N802
        """How often `Pay` was begun."""
        return self._asked
