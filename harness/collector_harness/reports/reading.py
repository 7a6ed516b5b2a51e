"""A kept stream, read back into the events that were written.

What is in a stream may come from anywhere: it is checked as it is read, kinds and fields that are
not known are passed over, and a stream without its end is told to be cut off.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from collector_harness import events
from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem
from collector_harness.events import STREAM_VERSION, Event, RunFinished, RunStarted

__all__ = ["KINDS", "Stream", "read_stream"]

KINDS: Final[Mapping[str, type[Any]]] = {kind.__name__: kind for kind in typing.get_args(Event)}
"""The class of each kind of event, by what a stream calls it."""

_LONGEST_LINE: Final = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """The events of one run, in order."""

    name: str
    """The file."""
    events: tuple[Event, ...]

    @property
    def started(self) -> RunStarted:
        first = self.events[0]
        assert isinstance(first, RunStarted)
        return first

    @property
    def finished(self) -> RunFinished | None:
        """The end; None for a stream that was cut off."""
        last = self.events[-1]
        return last if isinstance(last, RunFinished) else None


def read_stream(path: Path) -> Stream:
    """Reads the stream of one run.

    A last line that is not whole is what a run that died leaves, and is passed over: the stream
    has no end then. Raises `EnvironmentLacks` for a file that cannot be read and `InvalidInput` for
    what is no stream, or one of a version that this package does not know.
    """
    found = tuple(_events(path))
    if not found:
        raise _no_stream(path, 1, "it is empty")
    if not isinstance(found[0], RunStarted):
        raise _no_stream(path, 1, "its first event is not RunStarted")
    for each in found[1:]:
        if isinstance(each, RunStarted):
            raise _no_stream(path, 1, "it holds more than one run")
    return Stream(name=str(path), events=found)


def _events(path: Path) -> Iterator[Event]:
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if not line.strip():
                    continue
                if len(line) > _LONGEST_LINE:
                    raise _no_stream(path, number, "a line is longer than 64 MiB")
                event = _event(line, path, number)
                if event is not None:
                    yield event
    except OSError as error:
        raise EnvironmentLacks(f"cannot read the stream {path}: {error.strerror}") from error


def _event(line: bytes, path: Path, number: int) -> Event | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        if not line.endswith(b"\n"):
            return None
        raise _no_stream(path, number, "a line is no JSON") from error
    if not isinstance(values, dict) or not isinstance(values.get("kind"), str):
        raise _no_stream(path, number, "a line is no event: it has no kind")
    if number == 1:
        version = values.get("version")
        if values["kind"] == RunStarted.__name__ and version != STREAM_VERSION:
            raise _no_stream(
                path, number, f"it is of version {version}, and this is for {STREAM_VERSION}"
            )
    kind = KINDS.get(values["kind"])
    if kind is None:
        return None
    try:
        event: Event = _made(kind, values)
    except (TypeError, ValueError) as error:
        raise _no_stream(path, number, f"a {kind.__name__} is not as it must be: {error}") from None
    return event


def _made(kind: type[Any], values: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    given: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.name in values:
            given[field.name] = _value(hints[field.name], values[field.name], field.name)
    return kind(**given)


_known: dict[type[Any], Mapping[str, Any]] = {}


def _hints(kind: type[Any]) -> Mapping[str, Any]:
    if kind not in _known:
        _known[kind] = typing.get_type_hints(kind, vars(events))
    return _known[kind]


def _value(hint: Any, value: Any, name: str) -> Any:
    """Returns a JSON value as what a field is declared to be; raises `ValueError` otherwise."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is object:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (inner,) = [each for each in arguments if each is not type(None)]
        return _value(inner, value, name)
    if origin is typing.Literal:
        return value if value in arguments else _refuse(name, "one of " + ", ".join(arguments))
    if origin is tuple:
        if not isinstance(value, list):
            return _refuse(name, "a list")
        return tuple(_value(arguments[0], each, name) for each in value)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            return _refuse(name, "an object")
        return {key: _value(arguments[1], each, name) for key, each in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _made(hint, value) if isinstance(value, dict) else _refuse(name, "an object")
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    return _plain(hint, value, name)


def _plain(hint: Any, value: Any, name: str) -> Any:
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        return _refuse(name, {str: "text", bool: "true or false"}.get(hint, "a number"))
    return value


def _refuse(name: str, what: str) -> Any:
    raise ValueError(f"'{name}' is not {what}")


def _no_stream(path: Path, line: int, why: str) -> InvalidInput:
    return InvalidInput(
        Problem(
            message=f"{path}, line {line}: this is no stream of a run: {why}",
            hint="a stream is what --jsonl of `run` and `verify` writes",
        )
    )
