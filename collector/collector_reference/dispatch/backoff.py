"""Growing pauses with jitter: between attempts to connect, and between attempts of a call."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

__all__ = ["pauses"]


def pauses(
    first: timedelta, longest: timedelta, draw: Callable[[], float] = random.random
) -> Iterator[float]:
    """Yields pauses in seconds without end: each twice the one before up to the longest, and less
    up to half of it. `draw` returns numbers from 0 to below 1.
    """
    pause, most = first.total_seconds(), longest.total_seconds()
    while True:
        pause = min(pause, most)
        yield pause * (0.5 + draw() / 2)
        pause *= 2
