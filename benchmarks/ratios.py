"""What the samples of a contest amount to: ratios, their spread, and whether a target is met.

Pure: numbers in, values out. Nothing here measures, and nothing here knows what
was measured.
"""

from __future__ import annotations

import enum
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

__all__ = ["Round", "Summary", "Target", "Verdict", "judge", "summarise"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One round: the floor twice, and ours between the two. All in the same unit, above 0."""

    floor: float
    ours: float
    again: float
    """The floor, measured a second time."""

    def __post_init__(self) -> None:
        for value in (self.floor, self.ours, self.again):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"a sample must be a finite number above 0, not {value}")

    @property
    def middle(self) -> float:
        """The floor at the time of ours: the geometric mean of both, so that a machine that
        slows down or speeds up steadily through the round does not move the ratio.
        """
        return math.sqrt(self.floor * self.again)

    @property
    def ratio(self) -> float:
        """Ours, where the floor is 1."""
        return self.ours / self.middle

    @property
    def control(self) -> float:
        """The floor against itself, as a factor of at least 1."""
        return max(self.floor, self.again) / min(self.floor, self.again)


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What all rounds of a contest say."""

    ratio: float
    """The median of the rounds' ratios."""
    low: float
    """The lowest ratio of a round."""
    high: float
    """The highest ratio of a round."""
    control: float
    """By which factor the floor differs from itself within a round: the median, at least 1."""
    floor: float
    """The median of the floor's samples, in the unit of the samples."""
    rounds: int


def summarise(rounds: Sequence[Round]) -> Summary:
    """Returns what the rounds say; raises `ValueError` when there are none."""
    if not rounds:
        raise ValueError("nothing can be said about no rounds")
    ratios = [round_.ratio for round_ in rounds]
    return Summary(
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        control=statistics.median(round_.control for round_ in rounds),
        floor=statistics.median(
            sample for round_ in rounds for sample in (round_.floor, round_.again)
        ),
        rounds=len(rounds),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a ratio should be: made by `at_most`, `at_least` or `at_most_added`."""

    sign: Literal["<=", ">="]
    bound: float
    added: bool = False
    """Whether `bound` is what may be added to the floor, in the floor's unit, instead of a
    ratio."""

    @classmethod
    def at_most(cls, ratio: float) -> Self:
        """Ours takes at most `ratio` times what the floor takes."""
        return cls(sign="<=", bound=ratio)

    @classmethod
    def at_least(cls, ratio: float) -> Self:
        """Ours reaches at least `ratio` times what the floor reaches."""
        return cls(sign=">=", bound=ratio)

    @classmethod
    def at_most_added(cls, amount: float) -> Self:
        """Ours takes at most `amount` more than the floor, in the floor's unit."""
        return cls(sign="<=", bound=amount, added=True)

    def over(self, floor: float) -> Target:
        """Returns this target as a ratio, for a floor of this size."""
        if not self.added:
            return self
        return Target(sign=self.sign, bound=1 + self.bound / floor)

    def __str__(self) -> str:
        return f"{self.sign} {'+' if self.added else ''}{self.bound:.4g}"


class Verdict(enum.StrEnum):
    """How a ratio stands to its target."""

    MET = "met"
    EQUAL = "equal"
    """Not met, but by less than the floor differs from itself."""
    MISSED = "missed"


def judge(summary: Summary, target: Target) -> Verdict:
    """Returns how the ratio stands to the target, given how noisy the floor was."""
    bound = target.over(summary.floor).bound
    excess = summary.ratio / bound if target.sign == "<=" else bound / summary.ratio
    if excess <= 1:
        return Verdict.MET
    return Verdict.EQUAL if excess <= summary.control else Verdict.MISSED
