"""Lines of styled text as values: what the renderers return and what a screen shows.

The renderers decide what is said; a screen decides about colours. So what is said can be
tested as plain text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from collector_harness.errors import Position, Problem
from collector_harness.reports.escaping import ELLIPSIS, one_line, printable, width

__all__ = ["Line", "Span", "Style", "line", "plain", "problem", "source_excerpt"]

Style = Literal["plain", "strong", "faint", "good", "bad", "warning", "accent"]

MAX_COLUMNS = 100


class Span(NamedTuple):
    """A piece of a line; its text is printable, without line ends."""

    text: str
    style: Style = "plain"


Line = tuple[Span, ...]


def line(*pieces: str | Span) -> Line:
    """Returns one line made of spans, and of strings, which are spans without style."""
    return tuple(Span(piece) if isinstance(piece, str) else piece for piece in pieces)


def plain(lines: Iterable[Line]) -> str:
    """Returns the lines as text without styles, each with its line end."""
    return "".join("".join(span.text for span in each).rstrip() + "\n" for each in lines)


def source_excerpt(position: Position, *, indent: str = "") -> tuple[Line, ...]:
    """Returns the place, the line there and a caret under the column.

    A long line is cut to a window around the column. Only the place is returned where the
    line is not known.
    """
    place = line(
        indent, Span("--> ", "faint"), f"{printable(position.source)}:{position.line}:",
        f"{position.column}",
    )  # fmt: skip
    if not position.text:
        return (place,)
    number = f"{position.line:>5} | "
    before = position.text[: position.column - 1].replace("\t", " ")
    after = position.text[position.column - 1 :].replace("\t", " ")
    head = printable(before[-MAX_COLUMNS // 2 :])
    if len(before) > MAX_COLUMNS // 2:
        head = ELLIPSIS + head
    shown = head + one_line(after, MAX_COLUMNS - len(head))
    return (
        place,
        line(indent, Span(number, "faint"), shown),
        line(indent, " " * (len(number) + width(head)), Span("^", "bad")),
    )


def problem(found: Problem, *, label: Literal["error", "note"] = "error") -> tuple[Line, ...]:
    """Returns one problem of an input as lines: what, where with a caret, and what to do."""
    style: Style = "bad" if label == "error" else "warning"
    lines = [line(Span(f"{label}: ", style), one_line(found.message, 1000))]
    if found.position is not None:
        lines += source_excerpt(found.position, indent="  ")
    if found.hint:
        lines.append(line("  ", Span("hint: ", "accent"), one_line(found.hint, 1000)))
    return tuple(lines)
