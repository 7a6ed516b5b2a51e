"""A YAML document with its source: its value, and the place of everything in it.

Places are looked up only when somebody asks, which is when something is wrong; loading
pays nothing for them.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from collector_harness.documents.yaml12 import compose, construct
from collector_harness.errors import InvalidInput, Position, Problem

__all__ = ["MAX_BYTES", "Document", "Location", "load", "load_file"]

MAX_BYTES = 1_000_000
"""The largest document that is read."""
_USUAL_BYTES = 16_384
"""More than most documents have."""

Location = Sequence[str | int]
"""The way to a value: keys of mappings and indexes of lists, from the root."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Document:
    """What a text says, and where."""

    source: str
    """The file as the user named it, or `<string>`."""
    text: str = field(repr=False)
    value: object
    """Mappings with text keys, lists, text, numbers, booleans and None."""
    folder: Path | None = None
    """Where its file lies, which relative paths in it begin from; None for mere text."""
    _lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict, repr=False)
    """The lines, counted from 1, of the keys of the two outermost levels: these are asked for also
    where nothing is wrong."""
    _nodes: list[Node] = field(default_factory=list, repr=False, init=False)
    """The root node, once a position was asked for. Kept from the start, the nodes of many
    documents would cost more than reading those few again in which something is wrong."""

    def position(self, location: Location, *, key: bool = False) -> Position:
        """Returns where the value at `location` stands; with `key`, where its key does.

        Follows `location` as far as it leads: what is missing is told at its parent.
        """
        node, key_node = self._root(), None
        for step in location:
            found = _step(node, step)
            if found is None:
                # The value is missing: its parent stands for it, and that may span lines.
                return self._at(key_node if key_node is not None else node)
            key_node, node = found
        return self._at(key_node if key and key_node is not None else node)

    def line(self, location: Location) -> int:
        """Returns the line of the key at `location`, counted from 1; quickly for outer keys."""
        known = self._lines.get(tuple(location))
        return self.position(location, key=True).line if known is None else known

    def has(self, location: Location) -> bool:
        """Tells whether `location` leads to a value."""
        node = self._root()
        for step in location:
            found = _step(node, step)
            if found is None:
                return False
            node = found[1]
        return True

    def followed(self, location: Location) -> int:
        """Returns how many steps of `location` lead to something. Reads no text."""
        value: Any = self.value
        for count, step in enumerate(location):
            if not _leads(value, step):
                return count
            value = value[step]
        return len(location)

    def folder_of(self, location: Location) -> Path | None:  # noqa: ARG002 - all is from one file
        """Returns the folder of the file that says the value at `location`."""
        return self.folder

    def locate(self, line: int, column: int) -> Position:
        """Returns the position of a line and a column that are counted from 0."""
        return _locate(self.text, self.source, line, column)

    def _root(self) -> Node:
        if not self._nodes:
            self._nodes.append(compose(self.text, self.locate))
        return self._nodes[0]

    def _at(self, node: Node) -> Position:
        return self.locate(node.start_mark.line, node.start_mark.column)


def load(text: str, source: str = "<string>", *, folder: Path | None = None) -> Document:
    """Returns the only document in `text`; `source` is what messages call it.

    Raises `InvalidInput` for what is not YAML 1.2 or passes a limit, and for duplicate
    and non-text keys; with every problem, except that broken syntax ends the search.
    """
    if len(text) > MAX_BYTES:
        raise InvalidInput(_too_large(source, len(text)))

    def locate(line: int, column: int) -> Position:
        return _locate(text, source, line, column)

    root = compose(text, locate)
    return Document(
        source=source,
        text=text,
        value=construct(root, locate),
        folder=folder,
        _lines=dict(_outer_lines(root)),
    )


def load_file(path: Path, source: str | None = None) -> Document:
    """Returns the only document in a file, which must be UTF-8.

    Raises `InvalidInput` as `load` does, and when the file cannot be read.
    """
    name = source if source is not None else str(path)
    try:
        with path.open("rb") as file:
            # Not all at once, which would set aside room for the largest that may come.
            content = file.read(_USUAL_BYTES)
            if len(content) == _USUAL_BYTES:
                content += file.read(MAX_BYTES + 1 - _USUAL_BYTES)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidInput(
            Problem(
                message=f"{name}: cannot be read: {reason}",
                hint="check the path and its permissions",
            )
        ) from error
    if len(content) > MAX_BYTES:
        raise InvalidInput(_too_large(name, path.stat().st_size))
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n")
        start = before.rfind(b"\n") + 1
        column = len(before[start:].decode("utf-8", "replace"))
        raise InvalidInput(
            Problem(
                message=f"byte 0x{content[error.start]:02x} is not UTF-8",
                position=Position(source=name, line=line + 1, column=column + 1),
                hint="save the file as UTF-8",
            )
        ) from None
    return load(text, name, folder=path.parent.absolute())


def _too_large(source: str, size: int) -> Problem:
    return Problem(
        message=f"{source}: {size:,} bytes are more than the {MAX_BYTES:,} that are read",
        hint="split it into several files",
    )


def _outer_lines(root: Node) -> Iterator[tuple[tuple[str | int, ...], int]]:
    for key, value in _pairs(root):
        yield (key.value,), key.start_mark.line + 1
        for inner, _ in _pairs(value):
            yield (key.value, inner.value), inner.start_mark.line + 1


def _pairs(node: Node) -> Sequence[tuple[Node, Node]]:
    return node.value if isinstance(node, MappingNode) else ()


def _locate(text: str, source: str, line: int, column: int) -> Position:
    lines = text.splitlines()
    written = lines[line] if line < len(lines) else ""
    return Position(source=source, line=line + 1, column=column + 1, text=written)


def _leads(value: object, step: str | int) -> bool:
    """Tells whether there is something one step below a value."""
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)


def _step(node: Node, step: str | int) -> tuple[Node | None, Node] | None:
    """Returns the key node and the value node one step below `node`."""
    if isinstance(node, MappingNode):
        for key_node, value_node in node.value:
            if isinstance(key_node, ScalarNode) and key_node.value == step:
                return key_node, value_node
    elif isinstance(node, SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return None, node.value[step]
    return None
