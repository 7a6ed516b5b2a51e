"""Of a list that lacks an item, the one that comes nearest to it, and how it differs. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace

from collector_harness.events import Mismatch
from collector_harness.scenario.values import Given

__all__ = ["nearest"]

_MAX_COMPARED = 1_000
"""Items among which the nearest is looked for."""
_MAX_TOLD = 5
"""Differences that are told of it."""


def nearest(
    expected: object,
    items: Iterable[tuple[int, object]],
    path: str,
    *,
    differences: Callable[[object, object, str], Iterator[Mismatch]],
    matchers: Container[str],
) -> Iterator[Mismatch]:
    """Yields how the item differs that comes nearest to what is expected of one, of which it has
    something at least; the first of those that come equally near. `items` have their places in the
    list at `path`.
    """
    parts = _parts(expected, matchers)
    found: list[Mismatch] | None = None
    for index, item in itertools.islice(items, _MAX_COMPARED):
        fewer = parts if found is None else len(found)
        each = list(itertools.islice(differences(expected, item, f"{path}[{index}]"), fewer))
        if len(each) < fewer:
            found = each
    for difference in (found or ())[:_MAX_TOLD]:
        yield replace(difference, expected=f"{difference.expected} (in the nearest item)")


def _parts(expected: object, matchers: Container[str]) -> int:
    """Returns how many things an expectation says, each of which may differ."""
    if isinstance(expected, Given):
        return _parts(expected.value, matchers)
    if isinstance(expected, dict) and not any(key in matchers for key in expected):
        return sum(_parts(each, matchers) for each in expected.values())
    return sum(_parts(each, matchers) for each in expected) if isinstance(expected, list) else 1
