"""Regular expressions on texts that somebody hostile may have written, within a time.

An expression that is tried in many ways can take hours over a text that is made for it, and nothing
can interrupt it in this process. So what may take long, by the expression and the length of the
text, is searched in a process of its own, which is ended when its time is over.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import re
import select
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO, Final, cast

from collector_harness.errors import InvalidInput, Problem

__all__ = ["LIMIT", "MAX_SEARCHED", "is_found", "tries"]

MAX_SEARCHED: Final = 100_000
"""Characters of a text that are searched."""
LIMIT: Final = 10.0
"""Seconds that one search may take."""
_MOST_TRIES = 1_000_000_000
"""What a search may take here, as `tries` counts: a second or so."""
_START_LIMIT = 60.0

_REPEATED = re.compile(r"[*+]|\{[0-9]*,[0-9]*\}|\{[0-9]+\}")
_SKIPPED = re.compile(r"\\[^1-9]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_PROGRAM = """\
import json, re, sys
print(flush=True)
for line in sys.stdin:
    pattern, text = json.loads(line)
    print(re.search(pattern, text) is not None, flush=True)
"""


def is_found(pattern: str, text: str) -> bool:
    """Tells whether an expression is found in the beginning of a text.

    Raises `re.error` for what is no expression, and `InvalidInput` where the time is over.
    """
    text = text[:MAX_SEARCHED]
    compiled = re.compile(pattern)
    if tries(pattern, len(text)) <= _MOST_TRIES:
        return compiled.search(text) is not None
    return _elsewhere.search(pattern, text)


def tries(pattern: str, length: int) -> float:
    """Returns about how many characters are looked at when it goes worst, for a text so long."""
    shape = _shape_of(pattern)
    if shape.manifold and length > _FEW:
        return float("inf")
    return float(max(length, 1)) ** (1 + min(shape.repeats, 8))


_FEW = 20
"""Characters of which even all ways to divide them are soon tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    repeats: int
    """How many parts may match more or less of a text."""
    manifold: bool
    """Whether a part that is repeated can itself match in several ways."""


@functools.lru_cache(maxsize=1024)
def _shape_of(pattern: str) -> _Shape:
    repeats, manifold = 0, False
    groups = [False]
    """For each group that is open, whether it can match in several ways."""
    place = 0
    while place < len(pattern):
        skipped = _SKIPPED.match(pattern, place)
        if skipped is not None:
            place = skipped.end()
            continue
        char = pattern[place]
        place += 1
        if char == "(":
            groups.append(False)
        elif char == ")" and len(groups) > 1:
            inner = groups.pop()
            repeated = _REPEATED.match(pattern, place) is not None
            manifold = manifold or (inner and repeated)
            groups[-1] = groups[-1] or inner
        elif char == "\\":  # what was found before, again
            manifold = True
        elif char == "|":
            groups[-1] = True
        elif _REPEATED.match(pattern, place - 1):
            repeats += 1
            groups[-1] = True
    return _Shape(repeats=repeats, manifold=manifold)


class _Elsewhere:
    """A process that searches; started when it is first needed, and again after it was ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def search(self, pattern: str, text: str) -> bool:
        with self._lock:
            process = self._process or self._started()
            asked, told = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
            try:
                asked.write(json.dumps([pattern, text]) + "\n")
                asked.flush()
                answer = told.readline() if _is_readable(told, LIMIT) else None
            except OSError:
                answer = ""
            if answer:
                return answer == "True\n"
            self._end()
        if answer is None:
            raise InvalidInput(
                Problem(
                    message=f"the expression '{pattern[:200]}' was not done with a text of "
                    f"{len(text)} characters within {LIMIT:g} s",
                    hint="write one that can match in fewer ways: without repeats inside repeats",
                )
            )
        raise InvalidInput("the process that searches texts has ended; is there enough memory?")

    @staticmethod
    def command() -> list[str]:
        """Returns what is run; it ends with its input."""
        return [sys.executable, "-I", "-S", "-c", _PROGRAM]

    def _started(self) -> subprocess.Popen[str]:
        self._process = process = subprocess.Popen(
            self.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
        )
        # Its first line says that it is there: starting takes none of the time of a search.
        if _is_readable(cast(IO[str], process.stdout), _START_LIMIT):
            cast(IO[str], process.stdout).readline()
        return process

    def end(self) -> None:
        """Ends the process. Safe to call again."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(OSError):
                process.communicate()


def _is_readable(stream: IO[str], seconds: float) -> bool:
    return bool(select.select([stream], [], [], seconds)[0])


_elsewhere = _Elsewhere()
atexit.register(_elsewhere.end)
