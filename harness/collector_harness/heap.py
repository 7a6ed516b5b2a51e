"""Python's search for garbage cycles, kept away from what stays until the process ends.

Modules, models and the scenarios of a suite are made once and never given up. While they are
made, each search goes through all of them and finds nothing: with a thousand files that takes
a quarter of the time. Memory that is given up without cycles is freed at once all the same.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["begin_work", "growing", "settle"]


@contextlib.contextmanager
def growing() -> Iterator[None]:
    """Searches for no garbage while things are made that stay; may be nested."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()


def settle() -> None:
    """Leaves everything that there is by now out of each further search, and searches again.

    What becomes a garbage cycle among it is never found: for once in a process, between the
    making of what stays and the work.
    """
    gc.freeze()
    gc.enable()


def begin_work() -> None:
    """Settles where things are growing; for what works long, wherever it is called."""
    if not gc.isenabled():
        settle()
