"""The two ways in which collectors write ConnectRequest.

Everything else is the same on the wire. Bytes do not tell which of them was
meant, so a dialect is declared, never guessed (WIR-002, CON-007).
"""

from __future__ import annotations

import enum
import functools
from typing import Any as Anything

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MessageOptions,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from collector_reference.wire.dispatcher_pb2 import ConnectRequest

__all__ = ["Dialect", "split_dialect"]

_ID = "collector_id"


class Dialect(enum.Enum):
    """How ConnectRequest is written."""

    NATIVE = "native"
    """1 collector_id, 2 address, 3 namespaces."""
    ACCRETIONAL = "accretional"
    """1 address, 2 namespaces, 3 metadata, which holds the id as `collector_id`: the public Go
    collector."""

    def write(self, request: ConnectRequest) -> bytes:
        """Returns the bytes that mean the request in this dialect."""
        if self is Dialect.NATIVE:
            return request.SerializeToString()
        message: Anything = _accretional()(
            address=request.address,
            namespaces=request.namespaces,
            metadata={_ID: request.collector_id},
        )
        data: bytes = message.SerializeToString()
        return data

    def read(self, data: bytes) -> ConnectRequest:
        """Returns what the bytes mean in this dialect; raises `DecodeError`."""
        if self is Dialect.NATIVE:
            return ConnectRequest.FromString(data)
        message: Anything = _accretional()()
        message.ParseFromString(data)
        return ConnectRequest(
            collector_id=message.metadata.get(_ID, ""),
            address=message.address,
            namespaces=message.namespaces,
        )


def split_dialect(text: str) -> tuple[Dialect | None, str]:
    """Returns the dialect that marks an address, such as `accretional+host:port`, and the rest."""
    for dialect in Dialect:
        if text.startswith(f"{dialect.value}+"):
            return dialect, text.removeprefix(f"{dialect.value}+")
    return None, text


@functools.cache
def _accretional() -> type[Anything]:
    """Returns the class of the other ConnectRequest, from a pool of its own."""
    text, nested = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_MESSAGE
    one, many = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
    entry = DescriptorProto(name="MetadataEntry", options=MessageOptions(map_entry=True))
    entry.field.add(name="key", number=1, type=text, label=one)
    entry.field.add(name="value", number=2, type=text, label=one)
    message = DescriptorProto(name="ConnectRequest", nested_type=[entry])
    message.field.add(name="address", number=1, type=text, label=one)
    message.field.add(name="namespaces", number=2, type=text, label=many)
    message.field.add(
        name="metadata",
        number=3,
        type=nested,
        label=many,
        type_name=".accretional.ConnectRequest.MetadataEntry",
    )
    pool = DescriptorPool()
    pool.Add(
        FileDescriptorProto(
            name="accretional.proto",
            package="accretional",
            syntax="proto3",
            message_type=[message],
        )
    )
    return GetMessageClass(pool.FindMessageTypeByName("accretional.ConnectRequest"))
