"""From what came over the wire to plain values that can be compared and shown.

Answers are hostile: they may be nested without end, huge, or no message at all. Nothing
here raises for them; what cannot be shown as values is shown as base64.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf import (
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message

from collector_harness.client.pools import TypePool, known_types

__all__ = ["from_any", "from_message", "json_values"]

_DEEPEST = 64
_MOST_VALUES = 2_000_000
_EXACT = 2**53
_STATUS_CODES = ("collector.Status.Code", "collector_reference.wire.Status.Code")

_WRAPPERS = frozenset(
    f"google.protobuf.{name}"
    for name in (
        *("BoolValue", "BytesValue", "DoubleValue", "FloatValue", "Int32Value"),
        *("Int64Value", "StringValue", "UInt32Value", "UInt64Value"),
    )
)
_WELL_KNOWN: dict[str, type[Message]] = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        duration_pb2.Duration,
        empty_pb2.Empty,
        field_mask_pb2.FieldMask,
        struct_pb2.ListValue,
        struct_pb2.Struct,
        struct_pb2.Value,
        timestamp_pb2.Timestamp,
        wrappers_pb2.BoolValue,
        wrappers_pb2.BytesValue,
        wrappers_pb2.DoubleValue,
        wrappers_pb2.FloatValue,
        wrappers_pb2.Int32Value,
        wrappers_pb2.Int64Value,
        wrappers_pb2.StringValue,
        wrappers_pb2.UInt32Value,
        wrappers_pb2.UInt64Value,
    )
}


class _TooMuch(Exception):
    """The answer is deeper or larger than what is turned into values."""


@dataclass(kw_only=True, slots=True)
class _Decoder:
    types: TypePool | None
    left: int = _MOST_VALUES

    def any(self, packed: AnyMessage, depth: int) -> object:
        self._spend(depth)
        name = packed.type_url.rpartition("/")[2]
        well_known = _WELL_KNOWN.get(name)
        kind = well_known or self._class_of(name)
        if kind is not None:
            try:
                message = kind.FromString(packed.value)
            except (DecodeError, RecursionError):
                return _raw(packed)
            content = self.message(message, depth + 1)
            if well_known is None and isinstance(content, dict):
                return {"@type": packed.type_url, **content}
            return content
        return _raw(packed)

    def message(self, message: Message, depth: int) -> object:
        self._spend(depth)
        name = message.DESCRIPTOR.full_name
        if name == "google.protobuf.Any":
            return self.any(cast(AnyMessage, message), depth + 1)
        if name in _WELL_KNOWN:
            return self._well_known(name, message, depth)
        fields: dict[str, object] = {}
        for field in message.DESCRIPTOR.fields:
            if field.has_presence and not message.HasField(field.name):
                continue
            fields[field.name] = self._field(field, getattr(message, field.name), depth)
        return fields

    def _field(self, field: Any, value: Any, depth: int) -> object:
        if not field.is_repeated:
            return self._single(field, value, depth)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            of = field.message_type.fields_by_name["value"]
            return {str(key): self._single(of, value[key], depth) for key in value}
        return [self._single(field, item, depth) for item in value]

    def _single(self, field: Any, value: Any, depth: int) -> object:
        if field.message_type is not None:
            return self.message(value, depth + 1)
        self._spend(depth)
        if field.enum_type is not None:
            named = field.enum_type.values_by_number.get(value)
            # The number of a status code is told; its name is canonical, and elsewhere.
            is_code = field.enum_type.full_name in _STATUS_CODES
            return named.name if named is not None and not is_code else value
        return value

    def _well_known(self, name: str, message: Any, depth: int) -> object:
        if name in _WRAPPERS:
            return message.value
        match name:
            case "google.protobuf.Struct":
                # A map has no order on the wire: sorted, equal answers look equal.
                return {
                    key: self._value(message.fields[key], depth) for key in sorted(message.fields)
                }
            case "google.protobuf.ListValue":
                return [self._value(item, depth) for item in message.values]
            case "google.protobuf.Value":
                return self._value(message, depth)
            case "google.protobuf.Empty":
                return {}
            case _:
                return _text_of(message)

    def _value(self, value: Any, depth: int) -> object:
        self._spend(depth)
        match value.WhichOneof("kind"):
            case "number_value":
                return _number(value.number_value)
            case "string_value":
                return value.string_value
            case "bool_value":
                return value.bool_value
            case "struct_value":
                fields = value.struct_value.fields
                return {key: self._value(fields[key], depth + 1) for key in sorted(fields)}
            case "list_value":
                return [self._value(item, depth + 1) for item in value.list_value.values]
            case _:
                return None

    def _class_of(self, name: str) -> type[Message] | None:
        if not name:
            return None
        found = known_types().message_class(name)
        if found is None and self.types is not None:
            found = self.types.message_class(name)
        return found

    def _spend(self, depth: int) -> None:
        self.left -= 1
        if self.left < 0 or depth > _DEEPEST:
            raise _TooMuch


def from_any(packed: AnyMessage, *, types: TypePool | None = None) -> object:
    """Returns what is in an `Any` as plain values: the inverse of `to_any`.

    int64 are ints, not text. A message of another known type is a dict of all its fields with
    `@type`. What is unknown, cannot be decoded, or is too deep or too large is
    `{"@type": url, "value": base64}`.
    """
    try:
        return _Decoder(types=types).any(packed, 0)
    except (_TooMuch, RecursionError):
        return _raw(packed)


def from_message(message: Message, *, types: TypePool | None = None) -> object:
    """Returns a message as plain values: a dict of all its fields under their proto names, but
    of unset ones that can be told from default ones.
    """
    try:
        return _Decoder(types=types).message(message, 0)
    except (_TooMuch, RecursionError):
        return {"@type": message.DESCRIPTOR.full_name, "@too_large": message.ByteSize()}


def json_values(value: object) -> object:
    """Returns the value with all that JSON cannot hold in protobuf's JSON form: bytes as
    base64, and numbers that are not finite as text.
    """
    match value:
        case dict():
            return {key: json_values(item) for key, item in value.items()}
        case list() | tuple():
            return [json_values(item) for item in cast(Iterable[object], value)]
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case _:
            return value


def _number(value: float) -> int | float:
    # JSON does not tell 7 from 7.0, and a Struct holds JSON.
    return int(value) if value.is_integer() and abs(value) <= _EXACT else value


def _text_of(message: Any) -> object:
    try:
        return message.ToJsonString()
    except (ValueError, OverflowError):
        # Out of the range that its text form has, but still two plain numbers.
        return {field.name: value for field, value in message.ListFields()}


def _raw(packed: AnyMessage) -> dict[str, object]:
    return {
        "@type": packed.type_url,
        "value": base64.b64encode(packed.value).decode("ascii"),
    }
