"""What a benchmark is, and how one is run: rounds in which the floor and ours take turns.

A benchmark file defines `CONTESTS`. Each contest opens its sides, which stay open
for all rounds; what a side does and how it measures itself is its own matter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from benchmarks.ratios import Round, Target

__all__ = ["Contest", "Figure", "Measure", "MeasurementFailed", "Sides", "run_rounds"]

Measure = Callable[[], Awaitable[Mapping[str, float]]]
"""Does the work once and returns a number for each figure of the contest, by its name."""


class MeasurementFailed(Exception):
    """A side did not do the work that it is measured by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number that a contest yields for each side."""

    name: str
    """The key in what a `Measure` returns, such as `p50`."""
    what: str
    """The work, the floor, and what was on, in one sentence without a full stop."""
    unit: str
    target: Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """The running sides of a contest."""

    floor: Measure
    """The work with nothing of ours."""
    ours: Measure
    again: Measure
    """The floor once more, as a second instance of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """A floor and ours, which do the same work."""

    figures: tuple[Figure, ...]
    open: Callable[[], AbstractAsyncContextManager[Sides]]
    """Starts what the sides need, and leaves nothing behind."""


async def run_rounds(
    contest: Contest, rounds: int, on_round: Callable[[int], None]
) -> dict[str, list[Round]]:
    """Runs a contest and returns its rounds by the name of the figure.

    Every side is warmed up once, unmeasured. Ours always stands between the two floors, which
    change places from round to round. `on_round` is told the number of each round, from 1,
    before it begins, and 0 for the warming up.
    """
    results: dict[str, list[Round]] = {figure.name: [] for figure in contest.figures}
    async with contest.open() as sides:
        on_round(0)
        for warm_up in (sides.floor, sides.ours, sides.again):
            await warm_up()
        for number in range(1, rounds + 1):
            on_round(number)
            first, last = (sides.floor, sides.again) if number % 2 else (sides.again, sides.floor)
            before = await first()
            ours = await sides.ours()
            after = await last()
            floor, again = (before, after) if number % 2 else (after, before)
            for name, collected in results.items():
                collected.append(Round(floor=floor[name], ours=ours[name], again=again[name]))
    return results
