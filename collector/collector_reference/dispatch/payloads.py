"""What handlers see of an `Any`, and what becomes one: the boundary between Python values and
payload bytes.

Only the collector that executes a method comes here; a hop relays the `Any` as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any as Anything
from typing import cast

from google.protobuf import json_format, message_factory, struct_pb2, wrappers_pb2
from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from collector_reference.errors import HandlerFailed, UnsupportedOutput
from collector_reference.status import CanonicalStatus

__all__ = ["bytes_of", "decoded", "encoded", "message_of"]

_PREFIX = "type.googleapis.com/"
_WHOLE = 2.0**53
_INVALID = CanonicalStatus.INVALID_ARGUMENT.http_like or 0


def decoded(payload: Any) -> object:
    """Returns the Python value of a well-known type, and everything else as the `Any` it is.

    Struct becomes dict, ListValue list, Value what it holds, a wrapper such as StringValue its
    value, Empty None. A number in a Struct that is whole becomes an int.
    """
    _prefix, slash, name = payload.type_url.rpartition("/")
    decode = _DECODERS.get(name) if slash else None
    if decode is None:
        return payload
    try:
        return decode(payload.value)
    except DecodeError:
        return payload


def message_of(payload: Any | None, kind: type[Message], *, taker: str) -> Message:
    """Returns the payload as that message, which may be given as `bytes_of` says.

    Raises `HandlerFailed` (400) for anything else; `taker` is who takes it.
    """
    # The stubs know two classes for one.
    descriptor = cast(Descriptor, kind.DESCRIPTOR)
    try:
        return kind.FromString(bytes_of(payload, descriptor, taker=taker))
    except DecodeError as error:
        raise HandlerFailed(
            _INVALID, f"the input of {taker} is no {descriptor.full_name}: {error}"
        ) from error


def bytes_of(payload: Any | None, kind: Descriptor, *, taker: str) -> bytes:
    """Returns the bytes of a message of that type for a payload.

    One of the type itself passes as it is. A Struct becomes that type by its JSON names, nothing
    and Empty an empty one. Raises `HandlerFailed` (400) for anything else; `taker` is who takes it.
    """
    if payload is None or not (payload.type_url or payload.value):
        return b""
    name = payload.type_url.rpartition("/")[2]
    if name == kind.full_name:
        return bytes(payload.value)
    if name == "google.protobuf.Empty":
        return b""
    if name != "google.protobuf.Struct":
        raise HandlerFailed(
            _INVALID, f"{taker} takes {kind.full_name} or google.protobuf.Struct, not '{name}'"
        )
    try:
        # The reader of JSON makes whole numbers of a Struct's again.
        values = json_format.MessageToDict(struct_pb2.Struct.FromString(payload.value))
        message = message_factory.GetMessageClass(kind)()
        json_format.ParseDict(values, message)
        return message.SerializeToString()
    except (DecodeError, json_format.ParseError, ValueError, TypeError) as error:
        raise HandlerFailed(
            _INVALID, f"the Struct does not fit into {kind.full_name}: {error}"
        ) from error


def encoded(value: object) -> Any | None:
    """Returns what a handler returned as `Any`; None for None (SRV-009).

    `Any` stays as it is, a message is packed; str, bytes, bool, int and float become their
    wrappers, a mapping a Struct, a list or tuple a ListValue. Raises `UnsupportedOutput` for
    anything else (SRV-008).
    """
    if value is None or isinstance(value, Any):
        return value
    try:
        message = value if isinstance(value, Message) else _as_message(value)
        return Any(
            type_url=_PREFIX + message.DESCRIPTOR.full_name,
            value=message.SerializeToString(deterministic=True),
        )
    except UnsupportedOutput:
        raise
    except Exception as error:  # every kind of message and mapping fails in its own way
        raise UnsupportedOutput(
            f"a value of type {type(value).__name__} does not fit: {error}"
        ) from error


def _as_message(value: object) -> Message:
    match value:
        case str():
            return wrappers_pb2.StringValue(value=value)
        case bytes():
            return wrappers_pb2.BytesValue(value=value)
        case bool():
            return wrappers_pb2.BoolValue(value=value)
        case int():
            return wrappers_pb2.Int64Value(value=value)
        case float():
            return wrappers_pb2.DoubleValue(value=value)
        case Mapping():
            struct = struct_pb2.Struct()
            struct.update(_as_json(value))
            return struct
        case list() | tuple():
            items = struct_pb2.ListValue()
            items.extend(_as_json(value))
            return items
    raise UnsupportedOutput(f"a handler cannot return a value of type {type(value).__name__}")


def _as_json(value: object) -> Anything:
    match value:
        case Mapping():
            return {str(key): _as_json(item) for key, item in value.items()}
        case list() | tuple():
            return [_as_json(item) for item in value]
    return value


def _wrapper(kind: Callable[[], Anything]) -> Callable[[bytes], object]:
    def decode(data: bytes) -> object:
        message = kind()
        message.ParseFromString(data)
        return message.value

    return decode


def _struct(data: bytes) -> object:
    return {
        key: _of_value(value) for key, value in struct_pb2.Struct.FromString(data).fields.items()
    }


def _list(data: bytes) -> object:
    return [_of_value(value) for value in struct_pb2.ListValue.FromString(data).values]


def _of_value(value: struct_pb2.Value) -> object:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _WHOLE else number
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return {key: _of_value(item) for key, item in value.struct_value.fields.items()}
        case "list_value":
            return [_of_value(item) for item in value.list_value.values]
    return None


_DECODERS: dict[str, Callable[[bytes], object]] = {
    "google.protobuf.Struct": _struct,
    "google.protobuf.ListValue": _list,
    "google.protobuf.Value": lambda data: _of_value(struct_pb2.Value.FromString(data)),
    "google.protobuf.Empty": lambda _data: None,
    **{
        f"google.protobuf.{kind.__name__}": _wrapper(kind)
        for kind in (
            wrappers_pb2.StringValue,
            wrappers_pb2.BytesValue,
            wrappers_pb2.BoolValue,
            wrappers_pb2.Int32Value,
            wrappers_pb2.Int64Value,
            wrappers_pb2.UInt32Value,
            wrappers_pb2.UInt64Value,
            wrappers_pb2.FloatValue,
            wrappers_pb2.DoubleValue,
        )
    },
}
