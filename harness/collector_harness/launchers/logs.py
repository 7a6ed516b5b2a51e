"""What a node wrote: a bounded buffer, and its text made safe for a terminal.

Everything that a target writes is hostile: it may be endless, binary, or full of
control sequences.
"""

from __future__ import annotations

import unicodedata
from collections import deque

__all__ = ["LINE_LIMIT", "LineSplitter", "LogBuffer", "sanitised"]

_TAIL_WIDTH = 400

LINE_LIMIT = 4096
"""Bytes of one line that are kept; the rest of the line becomes further lines."""


def sanitised(text: str) -> str:
    """Returns the text with every control, format and surrogate character escaped, but line
    feeds and tabs.
    """
    return "".join(
        each
        if each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else each.encode("unicode_escape", "surrogatepass").decode("ascii")
        for each in text
    )


class LogBuffer:
    """The last lines of one node, from all of its streams in the order of their arrival."""

    def __init__(self, *, limit: int = 256 * 1024) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._limit = limit
        self._dropped = 0

    def add(self, line: bytes) -> None:
        """Adds one line, without its end; drops the oldest ones where the buffer is full."""
        self._lines.append(line[:LINE_LIMIT])
        self._size += len(self._lines[-1]) + 1
        while self._size > self._limit and len(self._lines) > 1:
            self._size -= len(self._lines.popleft()) + 1
            self._dropped += 1

    def clear(self) -> None:
        """Forgets every line."""
        self._lines.clear()
        self._size = self._dropped = 0

    def text(self) -> str:
        """Returns all that is kept, escaped for a terminal."""
        lines = [_shown(line) for line in self._lines]
        if self._dropped:
            lines.insert(0, f"[{self._dropped} earlier lines were dropped]")
        return "\n".join(lines)

    def tail(self, count: int = 20) -> str:
        """Returns the last `count` lines, escaped for a terminal, the long ones cut."""
        return "\n".join(
            line if len(line) <= _TAIL_WIDTH else f"{line[:_TAIL_WIDTH]}…"
            for line in map(_shown, list(self._lines)[-count:])
        )


class LineSplitter:
    """Cuts a stream of bytes into lines; a line that is too long is cut as well."""

    def __init__(self, *, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._rest = b""
        self._continues = False

    def feed(self, data: bytes) -> list[tuple[bytes, bool]]:
        """Returns the lines that are complete by now, each with whether it is a whole line
        rather than a piece of one that was too long.
        """
        *complete, rest = (self._rest + data).split(b"\n")
        lines: list[tuple[bytes, bool]] = []
        for line in complete:
            self._cut(line, lines, ended=True)
        self._rest = self._cut(rest, lines, ended=False)
        return lines

    def end(self) -> list[tuple[bytes, bool]]:
        """Returns what is left when the stream has ended."""
        rest, self._rest = self._rest, b""
        return [(rest, not self._continues)] if rest else []

    def _cut(self, line: bytes, lines: list[tuple[bytes, bool]], *, ended: bool) -> bytes:
        while len(line) > self._limit:
            lines.append((line[: self._limit], False))
            line = line[self._limit :]
            self._continues = True
        if not ended:
            return line
        lines.append((line.removesuffix(b"\r"), not self._continues))
        self._continues = False
        return b""


def _shown(line: bytes) -> str:
    return sanitised(line.decode("utf-8", "backslashreplace"))
