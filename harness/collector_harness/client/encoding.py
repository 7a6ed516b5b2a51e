"""From the values of a scenario or a test to what goes over the wire in an `Any`.

The way back is in `decoding`.
"""

from __future__ import annotations

import base64
import binascii
import difflib
from collections.abc import Mapping, Sequence
from typing import cast

from google.protobuf import struct_pb2, wrappers_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import EncodeError, Message

from collector_harness.client.decoding import json_values
from collector_harness.client.pools import TypePool, known_types
from collector_harness.client.unfit import read_json
from collector_harness.errors import InvalidInput, Problem

__all__ = ["to_any"]

_PREFIX = "type.googleapis.com/"
_DEEPEST = 48
_EXACT = 2**53


def to_any(value: object, *, types: TypePool | None = None) -> AnyMessage | None:
    """Returns the value in an `Any`, or None (unset) for None.

    dict: Struct; str: StringValue; bool: BoolValue; int: Int64Value; float: DoubleValue;
    bytes: BytesValue; list: ListValue; a message: itself. A dict with the key `@type` is a
    message of that type in protobuf's JSON form, or, with the key `@bytes`, these bytes
    (base64) under that type url, unchecked. Types are looked for in `types`, then among the
    known ones. Raises `InvalidInput` for what does not fit.
    """
    if value is None:
        return None
    if isinstance(value, AnyMessage):
        return value
    try:
        return _packed(value, types)
    except InvalidInput as error:
        error.about = ("input",)
        raise


def _packed(value: object, types: TypePool | None) -> AnyMessage:
    if isinstance(value, Mapping) and "@type" in value:
        return _typed(cast(Mapping[str, object], value), types)
    packed = AnyMessage()
    try:
        packed.Pack(_message(value))
    except EncodeError as error:
        raise InvalidInput(Problem(message=f"the input cannot be encoded: {error}")) from error
    return packed


def _message(value: object) -> Message:
    match value:
        case Message():
            return value
        case bool():
            return wrappers_pb2.BoolValue(value=value)
        case str():
            return wrappers_pb2.StringValue(value=_text(value, "input"))
        case int():
            if not -(2**63) <= value < 2**63:
                raise InvalidInput(
                    Problem(
                        message=f"the input {value} does not fit a 64-bit integer",
                        hint="send it as text",
                    )
                )
            return wrappers_pb2.Int64Value(value=value)
        case float():
            return wrappers_pb2.DoubleValue(value=value)
        case bytes() | bytearray():
            return wrappers_pb2.BytesValue(value=bytes(value))
        case Mapping():
            struct = struct_pb2.Struct()
            _fill_struct(struct, value, "input", 0)
            return struct
        case Sequence():
            items = struct_pb2.ListValue()
            _fill_list(items, value, "input", 0)
            return items
        case _:
            raise _no_fit(value, "input")


def _fill_struct(
    struct: struct_pb2.Struct, value: Mapping[object, object], path: str, depth: int
) -> None:
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidInput(
                Problem(
                    message=f"the key {key!r} of {path} is not text",
                    hint="the keys of a Struct are texts: put it in quotes",
                )
            )
        _fill_value(struct.fields[_text(key, path)], item, f"{path}.{key}", depth + 1)


def _fill_list(items: struct_pb2.ListValue, value: Sequence[object], path: str, depth: int) -> None:
    for place, item in enumerate(value):
        _fill_value(items.values.add(), item, f"{path}[{place}]", depth + 1)


def _fill_value(into: struct_pb2.Value, value: object, path: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise InvalidInput(Problem(message=f"the input is nested more than {_DEEPEST} levels deep"))
    match value:
        case None:
            into.null_value = struct_pb2.NULL_VALUE
        case bool():
            into.bool_value = value
        case str():
            into.string_value = _text(value, path)
        case int():
            if not -_EXACT <= value <= _EXACT:
                raise InvalidInput(
                    Problem(
                        message=f"{path} is {value}, which does not fit the numbers of a Struct "
                        "(53 bits)",
                        hint="send it as text",
                    )
                )
            into.number_value = value
        case float():
            into.number_value = value
        case bytes() | bytearray():
            raise InvalidInput(
                Problem(
                    message=f"{path} is bytes, which a Struct cannot hold",
                    hint="send them as base64 text, or alone as the whole input",
                )
            )
        case Mapping():
            # An empty Struct has to be set as such, or the value would have no kind.
            into.struct_value.SetInParent()
            _fill_struct(into.struct_value, value, path, depth)
        case Sequence():
            into.list_value.SetInParent()
            _fill_list(into.list_value, value, path, depth)
        case _:
            raise _no_fit(value, path)


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            Problem(message=f"{path} holds text that is not valid Unicode: {value!r}")
        ) from error
    return value


def _no_fit(value: object, path: str) -> InvalidInput:
    return InvalidInput(
        Problem(
            message=f"{path} is a {type(value).__name__}, which cannot be sent",
            hint="an input is a mapping, a list, a text, a number, true, false, bytes or a message",
        )
    )


def _typed(value: Mapping[str, object], types: TypePool | None) -> AnyMessage:
    url = value["@type"]
    if not isinstance(url, str):
        raise InvalidInput(Problem(message=f"the @type of an input is {url!r}, which is no text"))
    if "@bytes" in value:
        return AnyMessage(type_url=_text(url, "@type"), value=_base64(value["@bytes"]))
    name = url.rpartition("/")[2]
    pools = [types, known_types()] if types is not None else [known_types()]
    for pool in pools:
        if pool.message_class(name) is not None:
            break
    else:
        raise InvalidInput(
            Problem(message=f"the message type '{name}' is not known", hint=_near(name))
        )
    full = dict(value) | {"@type": url if "/" in url else _PREFIX + url}
    # In JSON bytes are base64.
    return read_json(
        json_values(full), AnyMessage(), pool=pool.descriptors, what="the input", about=name
    )


def _base64(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(
            Problem(message=f"the @bytes of an input are not base64: {error}")
        ) from error


def _near(name: str) -> str:
    common = [
        f"google.protobuf.{each}"
        for each in (
            *("Any", "BoolValue", "BytesValue", "DoubleValue", "Duration", "Empty", "FieldMask"),
            *("FloatValue", "Int32Value", "Int64Value", "ListValue", "StringValue", "Struct"),
            *("Timestamp", "UInt32Value", "UInt64Value", "Value"),
        )
    ]
    close = difflib.get_close_matches(name, common, n=1)
    return (
        f"did you mean '{close[0]}'?"
        if close
        else "send it with @bytes (base64), or call a node that offers reflection first"
    )
