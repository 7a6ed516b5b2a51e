"""Files that are read again when they change, and believed as they were while they are broken.

What is in them is the business of who reads them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from collector_reference.errors import SettingsError

__all__ = ["LOOK_EVERY", "Reloaded"]

_LOG = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds after which files are looked at again when they are used."""

T = TypeVar("T")
Signature = tuple[tuple[int, int, int], ...]


class Reloaded(Generic[T]):
    """A value that is made of files. May be used from any thread."""

    def __init__(
        self,
        paths: Sequence[Path],
        load: Callable[[], T],
        *,
        what: str,
        look_every: float = LOOK_EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` raises `SettingsError` for files that cannot be used: here at once, later only
        into the log.
        """
        self._paths = tuple(paths)
        self._load = load
        self._what = what
        self._look_every = look_every
        self._clock = clock
        self._signature = self._look()
        self._value = load()
        self._next_look = clock() + look_every
        self.version = 0
        """How often it was read again."""

    def current(self) -> T:
        """Returns the value of the files as they are, or as they were when they were last good."""
        now = self._clock()
        if now < self._next_look:
            return self._value
        self._next_look = now + self._look_every
        signature = self._look()
        if signature == self._signature:
            return self._value
        try:
            self._value = self._load()
        except SettingsError as error:
            # Not remembered as seen: the other half of a pair may still be on its way.
            _LOG.warning("%s changed, but cannot be used; the former stays: %s", self._what, error)
        else:
            self._signature = signature
            self.version += 1
            _LOG.info("%s changed and is used from now on", self._what)
        return self._value

    def _look(self) -> Signature:
        return tuple(_signature(path) for path in self._paths)


def _signature(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)
