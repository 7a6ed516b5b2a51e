"""Which of the cases of a run are done here, how often, and in which order. Pure.

Which cases there are at all is decided before, by paths and `-k`.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from collector_harness.errors import InvalidInput, Problem
from collector_harness.scenario.loading import Case

__all__ = ["Shard", "parse_shard", "rounds_of", "sharded"]

_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """One of several parts of a suite, which together are the whole."""

    number: int
    """From 1."""
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str) -> Shard:
    """Parses `2/5`; raises `InvalidInput`."""
    match = _SHARD.fullmatch(text)
    shard = Shard(number=int(match[1]), of=int(match[2])) if match else None
    if shard is None or not 1 <= shard.number <= shard.of:
        raise InvalidInput(
            Problem(message=f"'{text}' is no shard", hint="write 2/5 for the second part of five")
        )
    return shard


def sharded(items: Sequence[T], shard: Shard, *, key: Callable[[T], str]) -> tuple[T, ...]:
    """Returns the items that belong to a shard, in their order.

    An item's key alone decides where it belongs, so that others can come and go without it.
    """
    return tuple(item for item in items if _place(key(item)) % shard.of == shard.number - 1)


def rounds_of(cases: Sequence[Case], *, count: int, shuffle: bool, seed: int) -> tuple[Case, ...]:
    """Returns all cases of the first round, then those of the second, and so on; each round in an
    order of its own that follows from the seed, where they are shuffled.
    """
    ordered: list[Case] = []
    for number in range(1, count + 1):
        of_round = [replace(case, round=number) for case in cases] if number > 1 else [*cases]
        if shuffle:
            # By id first: the order in which files were found must not matter.
            of_round.sort(key=lambda case: case.id)
            random.Random(f"{seed}/{number}").shuffle(of_round)
        ordered += of_round
    return tuple(ordered)


def _place(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
