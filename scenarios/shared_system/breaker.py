"""A circuit breaker: a service that failed several times in a row is left alone for a while.

It decides only; time is passed in, and who calls tells it how calls went.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

__all__ = ["Breaker", "BreakerSettings"]


@dataclass(frozen=True, kw_only=True)
class BreakerSettings:
    """When a breaker opens, and for how long."""

    failures: int = 5
    """So many failures in a row open it."""
    open_seconds: float = 2.0
    """After so long one call may try."""


class Breaker:
    """Closed at first. Not for several threads: it lives on one event loop."""

    def __init__(self, settings: BreakerSettings, clock: Callable[[], float] = monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._failures = 0
        self._opened: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether a call now would be refused."""
        return self._opened is not None and (self._trying or self.wait() > 0)

    def wait(self) -> float:
        """Returns the seconds until a call may try, 0 where one may now."""
        if self._opened is None:
            return 0.0
        return max(0.0, self._opened + self._settings.open_seconds - self._clock())

    def admit(self) -> bool:
        """Says whether a call may be made; one that may must be told of by `record`."""
        if self._opened is None:
            return True
        if self.is_open:
            return False
        self._trying = True
        return True

    def record(self, *, well: bool) -> None:
        """Tells how an admitted call went."""
        self._trying = False
        if well:
            self._failures, self._opened = 0, None
            return
        self._failures += 1
        if self._opened is not None or self._failures >= self._settings.failures:
            self._opened = self._clock()

    def forget(self) -> None:
        """Tells that an admitted call was given up by its caller, which says nothing."""
        self._trying = False
