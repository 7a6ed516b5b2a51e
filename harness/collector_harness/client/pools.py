"""Which message types the harness knows: the contract, the well-known types, health, reflection and
the probe's port service, in a pool apart from the default one, which belongs to the user.

What a node tells by reflection goes into a pool of that node's own (`reflection`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from contextlib import suppress
from importlib import resources

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    text_format,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

__all__ = ["TypePool", "known_types"]

_WELL_KNOWN: tuple[FileDescriptor, ...] = tuple(
    module.DESCRIPTOR
    for module in (
        any_pb2,
        descriptor_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )
)


class TypePool:
    """Message types and services by full name, in a descriptor pool of its own."""

    def __init__(self) -> None:
        self.descriptors = DescriptorPool()
        """The pool itself, for protobuf's JSON functions."""
        self._files: set[str] = set()
        self._services: dict[str, dict[str, MethodDescriptor]] = {}
        for file in _WELL_KNOWN:
            self.add(_copy_of(file))

    def add(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        """Adds a file whose imports are there already; a file of a known name is left out.

        Raises `TypeError` or `KeyError`, as protobuf does, for one that does not fit.
        """
        if file.name in self._files:
            return
        self.descriptors.AddSerializedFile(file.SerializeToString())
        # Added files are built, and so checked, when they are first asked for.
        built = self.descriptors.FindFileByName(file.name)
        self._files.add(file.name)
        for service in built.services_by_name.values():
            self._services[service.full_name] = dict(service.methods_by_name)

    def has_file(self, name: str) -> bool:
        """Whether a file of that name was added."""
        return name in self._files

    def has_type(self, name: str) -> bool:
        """Whether a message or enum type of that full name is there."""
        for find in (
            self.descriptors.FindMessageTypeByName,
            self.descriptors.FindEnumTypeByName,
        ):
            with suppress(KeyError):
                find(name)
                return True
        return False

    @property
    def services(self) -> Iterable[str]:
        """The full names of all services."""
        return self._services.keys()

    def methods(self, service: str) -> dict[str, MethodDescriptor] | None:
        """Returns the methods of a service by name; None where the service is not known."""
        return self._services.get(service)

    def message_class(self, name: str) -> type[Message] | None:
        """Returns the class of a message type by full name; None where it is not known."""
        try:
            descriptor: Descriptor = self.descriptors.FindMessageTypeByName(name)
        except KeyError:
            return None
        return GetMessageClass(descriptor)


@functools.cache
def known_types() -> TypePool:
    """Returns the one pool of what is known without asking a node."""
    pool = TypePool()
    contract = descriptor_pb2.FileDescriptorSet.FromString(
        resources.files("collector_reference.wire").joinpath("collector.binpb").read_bytes()
    )
    for file in contract.file:
        pool.add(file)
    # Imported here, so that values can be encoded without gRPC.
    # The details of a status, which any service may send.
    from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
    from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]
    from grpc_reflection.v1alpha import reflection_pb2  # type: ignore[import-untyped]

    pool.add(_copy_of(health_pb2.DESCRIPTOR))
    pool.add(_copy_of(status_pb2.DESCRIPTOR))
    pool.add(_copy_of(error_details_pb2.DESCRIPTOR))
    # Known beforehand, as many a collector does not list reflection among what it reflects.
    pool.add(_copy_of(reflection_pb2.DESCRIPTOR))
    pool.add(_reflection_v1(_copy_of(reflection_pb2.DESCRIPTOR)))
    pool.add(_port_service())
    return pool


def _copy_of(file: FileDescriptor) -> descriptor_pb2.FileDescriptorProto:
    copy = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(copy)
    return copy


def _reflection_v1(
    alpha: descriptor_pb2.FileDescriptorProto,
) -> descriptor_pb2.FileDescriptorProto:
    """Returns the file of v1, which has the same messages under another package."""
    text = text_format.MessageToString(alpha)
    text = text.replace("grpc.reflection.v1alpha", "grpc.reflection.v1")
    file = text_format.Parse(text, descriptor_pb2.FileDescriptorProto())
    file.name = "grpc/reflection/v1/reflection.proto"
    return file


def _port_service() -> descriptor_pb2.FileDescriptorProto:
    """Returns `conformance.Port` (PROTOCOL.md section 4), which has no .proto file."""
    empty, count = ".google.protobuf.Empty", ".google.protobuf.Int64Value"
    method = descriptor_pb2.MethodDescriptorProto
    return descriptor_pb2.FileDescriptorProto(
        name="conformance/port.proto",
        package="conformance",
        syntax="proto3",
        dependency=["google/protobuf/empty.proto", "google/protobuf/wrappers.proto"],
        service=[
            descriptor_pb2.ServiceDescriptorProto(
                name="Port",
                method=[
                    method(name="Unary", input_type=empty, output_type=empty),
                    method(
                        name="Stream", input_type=empty, output_type=empty, server_streaming=True
                    ),
                    method(name="Unregistered", input_type=empty, output_type=empty),
                    method(
                        name="UnregisteredStream",
                        input_type=empty,
                        output_type=empty,
                        server_streaming=True,
                    ),
                    method(name="Runs", input_type=empty, output_type=count),
                ],
            )
        ],
    )
