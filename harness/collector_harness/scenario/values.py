"""`${path}` in texts: parsing it, and putting values in its place.

A path leads into cases, captures, fakes, nodes and the environment, and can do nothing
else. Values that came from a target are data for ever: inside an expectation they are
compared as they are and never read as matchers.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from collector_harness.errors import InvalidInput, Problem

__all__ = [
    "MADE",
    "ROOTS",
    "Given",
    "Path",
    "Template",
    "Written",
    "is_made",
    "look_up",
    "operand",
    "parse_path",
    "parse_template",
    "substitute",
    "substitute_expectation",
]

ROOTS: Final = frozenset(
    {
        "case",
        "env",
        "fake",
        "index",
        "item",
        "limit",
        "node",
        "peer",
        "secret",
        "seed",
        "service",
        "with",
    }
)
"""What a path can begin with beside the name of a capture."""

MADE: Final = frozenset({"$base64", "$bytes", "$text"})
"""The keys of mappings that stand for a value that is made, in payloads and expectations."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""The most bytes that `{$bytes: n}` makes."""

_PATH = re.compile(
    r"""(?P<root>[A-Za-z_][\w-]*)(?P<rest>(?:\.[A-Za-z_@][\w@-]*|\.[0-9]+|\[[0-9]+\]|\["[^"\]]*"\])*)"""
)
_PART = re.compile(r"""\.(?P<name>[\w@-]+)|\[(?P<index>[0-9]+)\]|\["(?P<key>[^"\]]*)"\]""")
_MARK = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """A way into the values of a case."""

    text: str
    """As written, such as `items[0].sku`."""
    root: str
    """Where it begins: one of `ROOTS`, or a capture."""
    parts: tuple[str | int, ...] = ()
    """Keys and indexes, one step each."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A text with paths in it."""

    text: str
    """As written."""
    parts: tuple[str | Path, ...]
    """Literal texts, unescaped, and paths between them."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths in it, in order."""
        return tuple(part for part in self.parts if isinstance(part, Path))

    @property
    def whole(self) -> Path | None:
        """The path, where it is all of the text: then its value keeps its type."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, Path) else None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A value in an expectation that is compared as it is, with no matchers in it."""

    value: object


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A value that stands in the scenario itself, so that matchers in it count."""

    value: object


Lookup = Callable[[Path], object]
"""Returns the value that a path leads to; raises `InvalidInput` where it leads nowhere."""


@functools.lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """Parses `items[0].sku`, `case.status` or `executions["shop/Probe/Echo"]`.

    Raises `ValueError`, whose text says what is wrong.
    """
    stripped = text.strip()
    match = _PATH.fullmatch(stripped)
    if match is None:
        if not stripped:
            raise ValueError("a path is missing between the braces")
        raise ValueError(
            f"'{stripped}' is not a path\n"
            "a path is names joined by '.', with [0] for a list and [\"...\"] for an odd key; "
            "there are no calls and no expressions"
        )
    parts = tuple(
        int(part["index"])
        if part["index"]
        else part["key"]
        if part["name"] is None
        else part["name"]
        for part in _PART.finditer(match["rest"])
    )
    return Path(text=stripped, root=match["root"], parts=parts)


@functools.lru_cache(maxsize=4096)
def parse_template(text: str) -> Template:
    """Parses a text with `${path}` in it; `$${` stands for a literal `${`.

    Raises `ValueError`, whose text says what is wrong.
    """
    parts: list[str | Path] = []
    literal = ""
    end = 0
    for mark in _MARK.finditer(text):
        literal += text[end : mark.start()]
        end = mark.end()
        if mark[0] == "$${":
            literal += "${"
        elif mark[1] is None:
            raise ValueError("'${' without '}'\nclose it, or write '$${' for a literal '${'")
        else:
            if literal:
                parts.append(literal)
                literal = ""
            parts.append(parse_path(mark[1]))
    literal += text[end:]
    if literal or not parts:
        parts.append(literal)
    return Template(text=text, parts=tuple(parts))


def substitute(value: object, lookup: Lookup) -> object:
    """Returns a payload with its paths replaced and its escapes undone.

    A text that is one path keeps the type of what it leads to; a path inside other text
    becomes text. `{$base64: ...}` and `{$bytes: n}` become bytes, `{$text: ...}` a text, and a
    key that begins with `$$` loses one of them. Keys may hold paths too.
    """
    if isinstance(value, str):
        return _fill(value, lookup) if "${" in value else value
    if isinstance(value, list):
        return [substitute(item, lookup) for item in value]
    if isinstance(value, dict):
        made = _made(value, lookup)
        if made is not None:
            return made
        return {_key(key, lookup): substitute(item, lookup) for key, item in value.items()}
    return value


def substitute_expectation(value: object, lookup: Lookup, *, quote: bool = False) -> object:
    """Returns an expectation with its paths replaced, ready to be matched.

    Matchers may come from the scenario's own cases. What comes from anywhere else is
    wrapped in `Given`, so that an answer that looks like a matcher stays data; inside
    `$regex` (`quote`) it stands for its literal text.
    """
    if isinstance(value, str):
        if "${" not in value:
            return value
        template = parse_template(value)
        path = template.whole
        if path is None:
            return _join(template, lookup, re.escape if quote else str)
        found = lookup(path)
        if isinstance(found, Written):
            return found.value
        if path.root == "case":
            return substitute_expectation(found, _nothing, quote=quote)
        if quote:
            return re.escape(as_text(found))
        return Given(value=found) if isinstance(found, dict | list) else found
    if isinstance(value, list):
        return [substitute_expectation(item, lookup) for item in value]
    if isinstance(value, dict):
        made = None
        if "$base64" not in value:
            made = _made(value, lambda path: _plain(lookup(path)))
        if made is not None:
            return made
        return {
            _fill_key(key, lookup): substitute_expectation(item, lookup, quote=key == "$regex")
            for key, item in value.items()
        }
    return value


def look_up(value: object, path: Path, start: int = 0) -> object:
    """Returns what the parts of `path` from `start` on lead to inside `value`.

    Raises `InvalidInput`, which names the part that is missing and what is there.
    """
    for depth, part in enumerate(path.parts[start:], start):
        if isinstance(part, int) and isinstance(value, list | tuple):
            if part < len(value):
                value = value[part]
                continue
            there = f"a list of {len(value)}"
        elif isinstance(value, Mapping):
            name = str(part)
            if name in value:
                value = value[name]
                continue
            keys = [str(key) for key in value]
            there = (
                f"a mapping with the keys {', '.join(keys[:12])}" if keys else "an empty mapping"
            )
        else:
            there = "nothing" if value is None else f"a value of type {type(value).__name__}"
        shown = "".join(_shown(item) for item in path.parts[:depth])
        raise InvalidInput(
            Problem(
                message=f"'${{{path}}}' leads nowhere: '{path.root}{shown}' is {there}",
                hint="was the value saved under this name, and does the answer have it?",
            )
        )
    return value


def as_text(value: object) -> str:
    """Returns a value as the text that it becomes inside other text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, int | float):
        return str(value)
    raise InvalidInput(
        Problem(
            message="a list or a mapping cannot stand inside text",
            hint="use the path as the whole value, or lead it on to a text or a number",
        )
    )


def operand(value: object) -> object:
    """Returns a payload value without its escapes: what `substitute` does where nothing is open."""
    return substitute(value, _nothing)


def _nothing(path: Path) -> object:
    raise InvalidInput(f"'${{{path}}}' cannot be used here")


def is_made(value: Mapping[str, object]) -> bool:
    """Tells whether a mapping stands for a value that is made: bytes or a text."""
    if len(value) == 1:
        return not MADE.isdisjoint(value)
    return "$bytes" in value and value.keys() <= _COUNTS


_COUNTS = frozenset({"$bytes", "less", "plus"})


def _made(value: Mapping[str, object], lookup: Lookup) -> bytes | str | None:
    if not is_made(value):
        return None
    filled = {key: substitute(item, lookup) for key, item in value.items()}
    if "$text" in filled:
        return as_text(filled["$text"])
    return decode_base64(filled["$base64"]) if "$base64" in filled else made_bytes(filled)


def decode_base64(value: object) -> bytes:
    """Returns the bytes that a base64 text stands for; raises `InvalidInput`."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            pass
    raise InvalidInput(
        Problem(message="$base64 needs base64 text", hint="for example {$base64: 3q2+7w==}")
    )


def made_bytes(written: Mapping[str, object]) -> bytes:
    """Returns as many bytes as `{$bytes: n}` says, `less` or `plus` some; raises `InvalidInput`.

    Neighbours differ, so that bytes that are lost or doubled are not made up by others.
    """
    counts = {key: written.get(key, 0) for key in ("$bytes", "less", "plus")}
    for key, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InvalidInput(
                Problem(
                    message=f"'{key}' needs a number of bytes, not {count!r}",
                    hint='for example {$bytes: "${limit.message_size}", less: 1000}',
                )
            )
    size = int(str(counts["$bytes"])) - int(str(counts["less"])) + int(str(counts["plus"]))
    if not 0 <= size <= MOST_BYTES:
        raise InvalidInput(f"{size} bytes are not between 0 and {MOST_BYTES}")
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def _fill(text: str, lookup: Lookup) -> object:
    template = parse_template(text)
    path = template.whole
    if path is None:
        return _join(template, lookup, str)
    found = lookup(path)
    # A case is part of the scenario, so its escapes are read like those around it.
    return operand(found) if path.root == "case" else found


def _join(template: Template, lookup: Lookup, escape: Callable[[str], str]) -> str:
    return "".join(
        part if isinstance(part, str) else escape(as_text(_plain(lookup(part))))
        for part in template.parts
    )


def _plain(value: object) -> object:
    return value.value if isinstance(value, Written) else value


def _fill_key(key: str, lookup: Lookup) -> str:
    return as_text(_fill(key, lookup)) if "${" in key else key


def _key(key: str, lookup: Lookup) -> str:
    filled = _fill_key(key, lookup)
    return filled[1:] if key.startswith("$$") and not key.startswith("$${") else filled


def _shown(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"
