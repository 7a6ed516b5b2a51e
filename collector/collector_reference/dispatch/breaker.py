"""The circuit breaker of a peer: a pure state machine, and the holder that one peer has of it.

Closed, it lets every call through; open, none; half-open, a few trials. What a
call's outcome says about the peer is decided where the call is made.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from collector_reference.dispatch.tuning import BreakerSettings

__all__ = ["CLOSED", "Breaker", "BreakerSnapshot", "Health", "Phase", "State", "admit", "after"]


class Phase(enum.Enum):
    """What a breaker does with the next call."""

    CLOSED = "closed"
    """Lets it through."""
    OPEN = "open"
    """Refuses it."""
    HALF_OPEN = "half-open"
    """Lets it through as a trial, unless enough trials are on their way."""


class Health(enum.Enum):
    """What the outcome of a call says about the peer."""

    WELL = enum.auto()
    """It answered; also that there is no such method, or that a handler failed."""
    ILL = enum.auto()
    """It could not be reached, was lost, or was silent for as long as this collector waits."""
    UNKNOWN = enum.auto()
    """Nothing: the caller gave up first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A breaker at one moment."""

    phase: Phase = Phase.CLOSED
    failures: int = 0
    """How many calls in a row found the peer ill."""
    since: float = 0.0
    """When the phase began, by the clock that `admit` and `after` are told, in seconds."""
    trials: int = 0
    """How many trials are on their way."""
    period: int = 0
    """Grows with every change of phase: what a call of a former phase says comes too late."""


CLOSED = State()


def admit(state: State, now: float, settings: BreakerSettings) -> tuple[State, int | None]:
    """Returns the state after somebody asked to call, and the permit; None where refused."""
    if state.phase is Phase.CLOSED:
        return state, state.period
    if state.phase is Phase.OPEN:
        if now - state.since < settings.open_time.total_seconds():
            return state, None
        state = replace(state, phase=Phase.HALF_OPEN, since=now, trials=0, period=state.period + 1)
    if state.trials >= settings.trials:
        return state, None
    return replace(state, trials=state.trials + 1), state.period


def after(
    state: State, permit: int, health: Health, now: float, settings: BreakerSettings
) -> State:
    """Returns the state after a call that had the permit."""
    if permit != state.period:
        return state
    if state.phase is Phase.CLOSED:
        if health is Health.WELL:
            return replace(state, failures=0) if state.failures else state
        if health is Health.UNKNOWN:
            return state
        failures = state.failures + 1
        if failures < settings.failures:
            return replace(state, failures=failures)
        return _opened(state, failures, now)
    match health:
        case Health.WELL:
            return State(since=now, period=state.period + 1)
        case Health.ILL:
            return _opened(state, state.failures + 1, now)
        case Health.UNKNOWN:
            return replace(state, trials=state.trials - 1)


def _opened(state: State, failures: int, now: float) -> State:
    return State(phase=Phase.OPEN, failures=failures, since=now, period=state.period + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerSnapshot:
    """A breaker as it was when it was asked for."""

    phase: Phase
    failures: int
    """How many calls in a row found the peer ill."""
    tried_in: timedelta | None
    """When the next call will be let through as a trial; None where none is refused for now."""


class Breaker:
    """The breaker of one peer. Lives on the collector's loop."""

    __slots__ = ("_clock", "_settings", "_state")

    def __init__(self, settings: BreakerSettings, clock: Callable[[], float]) -> None:
        """`clock` tells seconds and never goes back."""
        self._settings = settings
        self._clock = clock
        self._state = CLOSED

    def admit(self) -> int | None:
        """Returns the permit to call, to be given back by `after`; None where refused."""
        if self._state.phase is Phase.CLOSED:
            return self._state.period
        self._state, permit = admit(self._state, self._clock(), self._settings)
        return permit

    def after(self, permit: int, health: Health) -> None:
        """Takes note of how the call with that permit ended."""
        self._state = after(self._state, permit, health, self._clock(), self._settings)

    def close(self) -> None:
        """Closes it: the peer has shown by itself that it is back."""
        if self._state.phase is not Phase.CLOSED or self._state.failures:
            self._state = State(since=self._clock(), period=self._state.period + 1)

    def snapshot(self) -> BreakerSnapshot:
        """Returns what it is now."""
        state = self._state
        left = state.since + self._settings.open_time.total_seconds() - self._clock()
        return BreakerSnapshot(
            phase=state.phase,
            failures=state.failures,
            tried_in=timedelta(seconds=max(left, 0.0)) if state.phase is Phase.OPEN else None,
        )
