"""In which order the peers that share a namespace are tried: pure functions.

Each yields every candidate once, the best first, and no more work than is asked for
beyond it. Which peers there are, and which of them can be called, is not known here.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import TypeVar

__all__ = ["least_pending", "rendezvous", "rotated"]

T = TypeVar("T")


def rotated(candidates: Sequence[T], turn: int) -> Iterator[T]:
    """Yields each candidate once, beginning with another one at each turn (DSP-015)."""
    count = len(candidates)
    for step in range(count):
        yield candidates[(turn + step) % count]


def least_pending(candidates: Sequence[T], turn: int, pending: Callable[[T], int]) -> Iterator[T]:
    """Yields those with the fewest pending calls first, and in turn where several have as few."""
    heap = [
        (pending(candidate), step, candidate)
        for step, candidate in enumerate(rotated(candidates, turn))
    ]
    yield from _ascending(heap)


def rendezvous(candidates: Sequence[T], hint: str, name: Callable[[T], str]) -> Iterator[T]:
    """Yields the candidates in the order that the hint gives them, the same in every process.

    The order of two candidates does not depend on the others: who comes takes hints evenly from
    all, and who goes leaves its own evenly to all. Their names tell them apart.
    """
    heap = [
        (_weight(hint, name(candidate)), step, candidate)
        for step, candidate in enumerate(candidates)
    ]
    yield from _ascending(heap)


def _ascending(heap: list[tuple[int, int, T]]) -> Iterator[T]:
    # The second place is unique, so the candidates themselves are never compared.
    heapq.heapify(heap)
    while heap:
        yield heapq.heappop(heap)[2]


def _weight(hint: str, name: str) -> int:
    # The length keeps ("ab", "c") and ("a", "bc") apart.
    data = hint.encode()
    digest = blake2b(len(data).to_bytes(8, "big") + data + name.encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "big")
