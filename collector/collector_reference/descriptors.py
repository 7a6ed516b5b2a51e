"""The descriptors of everything that a collector serves on its port, in a pool of their own.

The default pool belongs to whoever imports this package: nothing is added to
it here. One pool is shared by all collectors of a process, and never changed.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import empty_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection_pb2  # type: ignore[import-untyped]

__all__ = [
    "ADMIN",
    "DISPATCHER",
    "HEALTH",
    "PORT",
    "REFLECTION",
    "REFLECTION_ALPHA",
    "REGISTRY",
    "pool",
    "service_descriptors",
]

DISPATCHER = "collector.CollectiveDispatcher"
REGISTRY = "collector.CollectorRegistry"
ADMIN = "administration.CollectorAdmin"
HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1.ServerReflection"
REFLECTION_ALPHA = "grpc.reflection.v1alpha.ServerReflection"
PORT = "conformance.Port"


@functools.cache
def pool(*, admin: bool = False) -> DescriptorPool:
    """Returns the pool from which reflection answers; with `admin` the admin service is in it."""
    descriptors = DescriptorPool()
    for file in (*_files(), *(_packaged("administration") if admin else ())):
        descriptors.Add(file)
    return descriptors


@functools.cache
def service_descriptors() -> Mapping[str, ServiceDescriptorProto]:
    """Returns the descriptor of each service by its full name, which it also bears itself."""
    services: dict[str, ServiceDescriptorProto] = {}
    for file in (*_files(), *_packaged("administration")):
        for service in file.service:
            named = ServiceDescriptorProto()
            named.CopyFrom(service)
            named.name = f"{file.package}.{service.name}"
            services[named.name] = named
    return services


@functools.cache
def _files() -> tuple[FileDescriptorProto, ...]:
    """Returns every file, each after those that it imports."""
    files = list(_packaged("collector"))
    present = {file.name for file in files}
    for module in (empty_pb2, wrappers_pb2, health_pb2, reflection_pb2):
        file = _file_of(module)
        if file.name not in present:
            files.append(file)
    files.append(_reflection_v1(_file_of(reflection_pb2)))
    files.append(_port())
    return tuple(files)


def _packaged(name: str) -> tuple[FileDescriptorProto, ...]:
    packaged = importlib.resources.files("collector_reference.wire") / f"{name}.binpb"
    return tuple(FileDescriptorSet.FromString(packaged.read_bytes()).file)


def _file_of(module: Any) -> FileDescriptorProto:
    return FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)


def _reflection_v1(alpha: FileDescriptorProto) -> FileDescriptorProto:
    """Returns reflection's stable version: the same messages in another package."""
    file = FileDescriptorProto()
    file.CopyFrom(alpha)
    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = "grpc.reflection.v1"
    _rename_types(file.message_type)
    for service in file.service:
        for method in service.method:
            method.input_type = _v1(method.input_type)
            method.output_type = _v1(method.output_type)
    return file


def _rename_types(messages: Iterable[DescriptorProto]) -> None:
    for message in messages:
        for field in message.field:
            if field.type_name:
                field.type_name = _v1(field.type_name)
        _rename_types(message.nested_type)


def _v1(name: str) -> str:
    return name.replace(".grpc.reflection.v1alpha.", ".grpc.reflection.v1.")


def _port() -> FileDescriptorProto:
    """Returns the probe's own service on the port (PROTOCOL.md, section 4).

    Its unregistered methods are part of it: reflection shows what is mounted.
    """
    file = FileDescriptorProto(
        name="conformance/port.proto",
        package="conformance",
        syntax="proto3",
        dependency=["google/protobuf/empty.proto", "google/protobuf/wrappers.proto"],
    )
    service = file.service.add(name="Port")
    for name, output, streams in (
        ("Unary", "Empty", False),
        ("Stream", "Empty", True),
        ("Unregistered", "Empty", False),
        ("UnregisteredStream", "Empty", True),
        ("Runs", "Int64Value", False),
    ):
        service.method.add(
            name=name,
            input_type=".google.protobuf.Empty",
            output_type=f".google.protobuf.{output}",
            server_streaming=streams,
        )
    return file
