"""Makes text that came from elsewhere safe to print, and short enough to read.

Whatever a target says is hostile: it may hold terminal escapes, control
characters, characters that turn the writing direction round, or a million lines.
"""

from __future__ import annotations

import unicodedata

__all__ = ["block", "one_line", "printable", "width"]

ELLIPSIS = "…"


def printable(text: str) -> str:
    """Returns the text with every character that is not plainly visible written as an escape.

    That covers C0 and C1 controls, line ends, invisible format characters (which hide text or
    turn its direction), lone surrogates and exotic spaces. Ordinary text comes back unchanged.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def one_line(text: str, limit: int) -> str:
    """Returns the text on one printable line of at most `limit` characters.

    The cut is made before the escaping too, so a huge text costs no more than a small one.
    """
    shown = printable(text[: limit + 1])
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + ELLIPSIS


def block(text: str, *, lines: int, columns: int, tail: bool = False) -> tuple[str, ...]:
    """Returns the text as at most `lines` printable lines of at most `columns` characters.

    What was left out is told in a line of its own: the end of the text, or with `tail` its
    beginning.
    """
    every = text.replace("\r\n", "\n").rstrip("\n").split("\n") if text else []
    over = len(every) - lines
    kept = every if over <= 0 else every[over:] if tail else every[:lines]
    shown = tuple(one_line(line.replace("\t", "    "), columns) for line in kept)
    if over <= 0:
        return shown
    note = f"{ELLIPSIS} {over} {'earlier' if tail else 'more'} line{'s' if over > 1 else ''}"
    return (note, *shown) if tail else (*shown, note)


def width(text: str) -> int:
    """Returns how many columns of a terminal printable text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _escaped(char: str) -> str:
    simple = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if simple is not None:
        return simple
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
