"""The JSON Schema of the event stream, made from the events themselves: one line is one event.

Readers must pass over kinds and fields that they do not know, so the schema allows both; what it
does know must be as the events say.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

from collector_harness import events
from collector_harness.events import STREAM_VERSION
from collector_harness.reports.reading import KINDS

__all__ = ["event_schema"]


def event_schema() -> dict[str, object]:
    """Returns the schema of one line of a stream."""
    definitions: dict[str, object] = {}
    for name, kind in KINDS.items():
        known = _record(kind, definitions)
        known["properties"] = {"kind": {"const": name}, **known["properties"]}
        known["required"] = ["kind", *known["required"]]
        definitions[name] = known
    started = definitions["RunStarted"]
    assert isinstance(started, dict)
    started["properties"]["version"] = {"const": STREAM_VERSION}
    started["required"].append("version")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of a run of collector-harness: one line of what --jsonl writes",
        "description": "The first line is RunStarted and the last one RunFinished; a stream "
        "without it was cut off. Kinds and fields that are not here come with newer versions and "
        "are to be passed over.",
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"type": "string"}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": name}}},
                "then": {"$ref": f"#/$defs/{name}"},
            }
            for name in KINDS
        ],
        "$defs": definitions,
    }


def _record(kind: type[Any], definitions: dict[str, object]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, vars(events))
    fields = dataclasses.fields(kind)
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(kind) or "").split()),
        "properties": {each.name: _schema(hints[each.name], definitions) for each in fields},
        "required": [
            each.name
            for each in fields
            if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        ],
    }


def _schema(hint: Any, definitions: dict[str, object]) -> dict[str, object]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is object:
        return {}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(each, definitions) for each in arguments]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = _record(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [each.value for each in hint]}
    names = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return {"type": names[hint]}
