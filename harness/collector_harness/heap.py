"""Python's search for garbage cycles, kept away from what stays until the process ends.

Modules, models and the scenarios of a suite are made once and never given up. While they are
made, each search goes through all of them and finds nothing: with a thousand files that takes
a quarter of the time. Memory that is given up without cycles is freed at once all the same.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["begin_work", "growing"]

_growing: list[bool] = []
"""Holds something while it is `growing` that has turned the search off."""


@contextlib.contextmanager
def growing() -> Iterator[None]:
    """Searches for no garbage while things are made that stay; may be nested."""
    if not gc.isenabled():  # by `growing` further out, or by whoever owns this process
        yield
        return
    gc.disable()
    _growing.append(True)
    try:
        yield
    finally:
        _growing.pop()
        gc.enable()


def begin_work() -> None:
    """Searches again where things are growing, but never among what there is by now; called by
    what works long, and outside of `growing` it does nothing.

    What becomes a garbage cycle among what there is by now is not found any more.
    """
    if _growing:
        gc.freeze()
        gc.enable()
