"""Values shown to a person in one bounded line, whoever they came from.

A target may answer megabytes, deep nesting or control characters: the line stays short,
and nothing in it can steer a terminal.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["MAX_SHOWN", "render"]

MAX_SHOWN = 400
"""Characters that a rendered value has at most, about."""
_MAX_DEPTH = 6
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def render(value: object, limit: int = MAX_SHOWN) -> str:
    """Returns a value as a line of JSON, cut where it is too long."""
    parts: list[str] = []
    left = _render(value, parts, limit, 0)
    text = "".join(parts)
    return text if left >= 0 else text[:limit] + "…"


def _render(value: object, parts: list[str], left: int, depth: int) -> int:
    """Appends the text of a value; returns how much room is left, below zero once cut."""
    if left < 0:
        return left
    inner = getattr(value, "value", value) if type(value).__name__ == "Given" else value
    if isinstance(inner, Mapping):
        return _collection(inner.items(), "{}", len(inner), parts, left, depth)
    if isinstance(inner, list | tuple):
        return _collection(inner, "[]", len(inner), parts, left, depth)
    text = _scalar(inner, left)
    parts.append(text)
    return left - len(text)


def _collection(
    items: Iterable[Any], ends: str, count: int, parts: list[str], left: int, depth: int
) -> int:
    if depth >= _MAX_DEPTH and count:
        parts.append(f"{ends[0]}…{ends[1]}")
        return left - 3
    parts.append(ends[0])
    left -= 2
    for index, item in enumerate(items):
        if left < 0:
            return left
        if index:
            parts.append(", ")
            left -= 2
        if ends == "{}":
            key = _scalar(item[0], left)
            parts.append(f"{key}: ")
            left -= len(key) + 2
            item = item[1]  # noqa: PLW2901
        left = _render(item, parts, left, depth + 1)
    parts.append(ends[1])
    return left


def _scalar(value: object, limit: int) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**30 else f"a number of {value.bit_length()} bits"
    if isinstance(value, bytes):
        shown = base64.b64encode(value[: max(limit, 0) + 3]).decode("ascii")
        return f'{{"$base64": "{shown}"}}'
    if isinstance(value, str):
        return f'"{_quoted(value[: max(limit, 0) + 1])}"'
    return str(value)


def _quoted(text: str) -> str:
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(
        _SHORT.get(char) or (char if char.isprintable() else _code(char)) for char in text
    )


def _code(char: str) -> str:
    number = ord(char)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
