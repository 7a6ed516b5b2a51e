"""Pairing items with places, so that as many as possible have one. Knows nothing of matchers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["paired"]


def paired(fits: Sequence[Sequence[int]]) -> dict[int, int]:
    """Returns the most pairs that there can be (augmenting paths): by place, the index of its item.

    `fits` has the places that each item could take. Giving an item the first place that fits is
    not enough: one that fits anywhere would take what another cannot do without.
    """
    partner: dict[int, int] = {}
    for start in range(len(fits)):
        came_from: dict[int, int] = {}
        queue = [start]
        while queue:
            index = queue.pop(0)
            fresh = [place for place in fits[index] if place not in came_from]
            came_from.update((place, index) for place in fresh)
            free = next((place for place in fresh if place not in partner), None)
            if free is not None:
                _take(free, came_from, partner)
                break
            queue += [partner[place] for place in fresh]
    return partner


def _take(place: int, came_from: Mapping[int, int], partner: dict[int, int]) -> None:
    """Gives `place` to the item that found it, the place of that item to its finder, and so on."""
    held = {index: there for there, index in partner.items()}
    moved: int | None = place
    while moved is not None:
        index = came_from[moved]
        partner[moved] = index
        moved = held.get(index)
