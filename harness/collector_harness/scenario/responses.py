"""What is expected of an answer and saved from it, held against the type of the response where
that is known before anything runs.

A field that the type does not have is never in an answer: who expects or saves it has misspelt
it. Which types are known is in `payloads`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collector_harness.documents.suggestions import did_you_mean
from collector_harness.scenario.matching_syntax import Location
from collector_harness.scenario.model import CallStep, StreamStep
from collector_harness.scenario.values import parse_path

__all__ = ["response_findings"]

_OWN_FORMS = "google.protobuf."
_DEEPEST = 64

Found = tuple[Location, str, str | None, bool]
"""A place below the step, what is wrong there, what to do, and whether its key is meant."""


def response_findings(step: CallStep | StreamStep, method: Any) -> Iterator[Found]:
    """Yields every field in what a step expects and saves that the response does not have."""
    kind = method.output_type
    roots = _roots(step, method)
    expect = step.expect or {}
    for root, many in roots.items():
        if root in expect:
            yield from _of_value(kind, expect[root], ("expect", root), listed=many)
    if isinstance(step, StreamStep):
        for index, line in enumerate(step.script):
            if "receive" not in line.model_fields_set:
                continue
            yield from _of_value(kind, line.receive, ("script", index, "receive"))
            for name, path in (line.save or {}).items():
                if path.root != ".":
                    place = ("script", index, "save", name)
                    yield from _of_parts(kind, (path.root, *path.parts), place)
    for name, written in (step.save or {}).items():
        yield from _of_path(kind, str(written), ("save", name), roots)


def _roots(step: CallStep | StreamStep, method: Any) -> dict[str, bool]:
    """Returns the parts of an answer that are of the type, and whether they are lists of it."""
    if isinstance(step, StreamStep):
        return {"messages": True}
    # Where the response has an `output`, that is what an answer's is.
    roots = ("response",) if "output" in method.output_type.fields_by_name else _BOTH
    return dict.fromkeys(roots, bool(method.server_streaming))


_BOTH = ("response", "output")


def _of_value(
    kind: Any, value: object, place: Location, depth: int = 0, *, listed: bool = False
) -> Iterator[Found]:
    if isinstance(value, list):
        if listed:
            for index, item in enumerate(value):
                yield from _of_value(kind, item, (*place, index), depth + 1)
        return
    if not isinstance(value, Mapping) or listed or depth > _DEEPEST or not _has_fields(kind):
        return
    if any(isinstance(key, str) and key.startswith("$") for key in value):
        return  # a matcher, which is met in ways of its own
    for key, item in value.items():
        if not isinstance(key, str) or key.startswith("@") or "${" in key or _is_absence(item):
            continue
        field = kind.fields_by_name.get(key)
        if field is None:
            yield (*place, key), *_unknown(kind, key), True
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            yield from _of_value(
                field.message_type, item, (*place, key), depth + 1, listed=field.is_repeated
            )


def _of_path(
    kind: Any, written: str, place: Location, roots: Mapping[str, bool]
) -> Iterator[Found]:
    if "${" in written:
        return
    try:
        path = parse_path(written)
    except ValueError:
        return  # the model tells
    if path.root in roots:
        # The first part of a way into a list of messages is a place in it.
        yield from _of_parts(kind, path.parts[1:] if roots[path.root] else path.parts, place)


def _of_parts(kind: Any, way: Sequence[str | int], place: Location) -> Iterator[Found]:
    parts = list(way)
    while parts and _has_fields(kind):
        part = parts.pop(0)
        field = kind.fields_by_name.get(part) if isinstance(part, str) else None
        if field is None:
            yield place, *_unknown(kind, str(part)), False
            return
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            return
        if field.is_repeated and parts:
            del parts[0]
        kind = field.message_type


def _has_fields(kind: Any) -> bool:
    """Whether messages of a type are shown by their fields, and not in a form of their own."""
    return not kind.full_name.startswith(_OWN_FORMS)


def _is_absence(item: object) -> bool:
    return item is None or (isinstance(item, Mapping) and "$absent" in item)


def _unknown(kind: Any, name: str) -> tuple[str, str | None]:
    names = [field.name for field in kind.fields]
    return (
        f"a response of type {kind.name} has no field '{name}'",
        did_you_mean(name, names, what="its fields are"),
    )
