"""From the path of a mismatch to the line of the expectation that was not met. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from collector_harness.scenario.rendering import render

__all__ = ["pointed"]

_INDEX = re.compile(r"\[([0-9]+)\]")


def pointed(expectation: object, path: str) -> tuple[str | int, ...]:
    """Returns the keys and indexes that lead, inside an expectation as it is written, to what a
    mismatch at `path` is about; as far as they do.

    `path` is one of an answer, as mismatches have it. An expectation of many answers has no
    such levels as `path`, and matchers have some that `path` has not.
    """
    return tuple(_steps(expectation, path.removeprefix(".")))


def _steps(expectation: object, path: str) -> Iterator[str | int]:
    index = _INDEX.match(path)
    if isinstance(expectation, list):
        if index and int(index[1]) < len(expectation):
            yield int(index[1])
            yield from pointed(expectation[int(index[1])], path[index.end() :])
    elif isinstance(expectation, dict) and path:
        if index:  # one of many answers, all of which are expected to be the same
            path = path[index.end() :].removeprefix(".")
        for key in sorted(map(str, expectation), key=len, reverse=True):
            rest = _rest(path, key)
            if rest is not None:
                yield key
                yield from pointed(expectation[key], rest)
                return
        for key in ("all", "$exact"):
            if key in expectation:
                yield key
                yield from pointed(expectation[key], path)
                return


def _rest(path: str, key: str) -> str | None:
    """Returns what of the path comes after the key; None where it does not begin with the key."""
    for form in (key, f"[{render(key)}]"):
        rest = path.removeprefix(form)
        if path.startswith(form) and (not rest or rest[0] in ".["):
            return rest
    return None
