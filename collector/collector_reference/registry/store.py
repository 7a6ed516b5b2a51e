"""What the registry stores, and the interface of everything that can store it.

Records are made and checked here, so that every store holds the same ones. How
they are kept is the subject of one module per store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.descriptor_pb2 import FileDescriptorProto, ServiceDescriptorProto
from google.protobuf.timestamp_pb2 import Timestamp

from collector_reference.errors import InvalidRecord
from collector_reference.wire.common_pb2 import Metadata
from collector_reference.wire.registry_pb2 import RegisteredProto, RegisteredService

__all__ = [
    "Availability",
    "ProtoRecord",
    "RegistryStore",
    "ServiceRecord",
    "declare_methods",
    "extended_record",
    "proto_record",
    "service_record",
]


Availability = Callable[[bool], None]
"""Told, on the collector's loop, whenever a store can or cannot be written any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRecord:
    """A stored service."""

    namespace: str
    service_name: str
    methods: frozenset[str]
    message: RegisteredService
    """As it goes over the wire; never changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtoRecord:
    """A stored file of message types."""

    namespace: str
    file_name: str
    message: RegisteredProto
    """As it goes over the wire; never changed."""


class RegistryStore(Protocol):
    """Keeps records under the pair of namespace and name, both exact (REG-004, REG-009, REG-013).

    Reads are immediate, so that the interceptor can ask on every call; a store
    that keeps its records elsewhere holds an index of them.
    """

    @property
    def generation(self) -> int:
        """Advances with every change to the services, never repeats."""

    async def open(self, availability: Availability) -> None:
        """Makes it ready before the collector is; raises `NotReady` when it cannot be asked.

        From then on `availability` is told of every change. A store opens once.
        """

    async def close(self) -> None:
        """Ends what it holds; what was acknowledged stays."""

    async def add_service(self, record: ServiceRecord) -> None:
        """Stores it; raises `AlreadyRegistered` and changes nothing when its key is taken.

        Raises `StoreUnavailable` when it cannot be stored now.
        """

    async def add_proto(self, record: ProtoRecord) -> None:
        """Stores it; raises `AlreadyRegistered` and changes nothing when its key is taken."""

    def declare(self, record: ServiceRecord) -> None:
        """Shows a record of the collector's own, in place of the one that is there.

        Works before `open`. It is of this collector's life: a store that outlives it, or is
        shared, does not keep it.
        """

    def declared(self) -> Collection[ServiceRecord]:
        """Returns what was declared."""

    def service(self, namespace: str, service_name: str) -> ServiceRecord | None:
        """Returns the record, or None."""

    def has_method(self, namespace: str, service_name: str, method: str) -> bool:
        """Whether the service is stored and has that method."""

    def services(self, namespace: str | None) -> Collection[ServiceRecord]:
        """Returns the records of a namespace, or of all, in the order they were stored in.

        A large store reads them while the answer is gone through.
        """

    def proto(self, namespace: str, file_name: str) -> ProtoRecord | None:
        """Returns the record, or None."""

    def checkpoint(self) -> object:
        """Returns the present content, as a value that `restore` takes."""

    def restore(self, checkpoint: object) -> None:
        """Puts the content of that checkpoint in the place of the present one.

        Raises `RestoreRefused` where it cannot, and changes nothing.
        """


def service_record(namespace: str, descriptor: ServiceDescriptorProto) -> ServiceRecord:
    """Returns a record made now; raises `InvalidRecord` (REG-002, REG-006)."""
    if not namespace:
        raise InvalidRecord("namespace is required")
    if not descriptor.name:
        raise InvalidRecord("service name is required")
    names = [method.name for method in descriptor.method]
    _check_text(descriptor.name, *names)
    if "" in names:
        raise InvalidRecord(f"service '{descriptor.name}' has a method without a name")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InvalidRecord(f"service '{descriptor.name}' declares twice: {', '.join(twice)}")
    message = RegisteredService(
        id=f"{namespace}/{descriptor.name}",
        namespace=namespace,
        service_name=descriptor.name,
        service_descriptor=descriptor,
        method_names=names,
    )
    # Set in place: messages of their own, and copies of them, take half of the time of a record.
    created = message.metadata.created_at
    created.seconds, created.nanos = divmod(time.time_ns(), 1_000_000_000)
    message.metadata.updated_at.CopyFrom(created)
    return ServiceRecord(
        namespace=namespace,
        service_name=descriptor.name,
        methods=frozenset(names),
        message=message,
    )


def declare_methods(
    store: RegistryStore, namespace: str, service: str, methods: Sequence[str]
) -> None:
    """Puts the methods into the collector's own record of that service, made where it is missing.

    Raises `InvalidRecord` for a name that is empty.
    """
    record = store.service(namespace, service)
    if record is None:
        descriptor = ServiceDescriptorProto(name=service)
        for method in methods:
            descriptor.method.add(name=method)
        store.declare(service_record(namespace, descriptor))
    elif not record.methods.issuperset(methods):
        store.declare(extended_record(record, methods))


def extended_record(record: ServiceRecord, methods: Iterable[str]) -> ServiceRecord:
    """Returns the record with those methods added that it lacks; raises `InvalidRecord`."""
    message = RegisteredService()
    message.CopyFrom(record.message)
    for method in methods:
        if not method:
            raise InvalidRecord(f"service '{record.service_name}' has a method without a name")
        if method not in record.methods:
            message.service_descriptor.method.add(name=method)
            message.method_names.append(method)
    message.metadata.updated_at.CopyFrom(_now())
    return ServiceRecord(
        namespace=record.namespace,
        service_name=record.service_name,
        methods=frozenset(message.method_names),
        message=message,
    )


def proto_record(
    namespace: str, file: FileDescriptorProto, dependencies: Iterable[FileDescriptorProto]
) -> ProtoRecord:
    """Returns a record made now; raises `InvalidRecord` (REG-002).

    Its dependencies are the files that it imports, then those that came with it besides.
    """
    if not namespace:
        raise InvalidRecord("namespace is required")
    if not file.name:
        raise InvalidRecord("file name is required")
    now = _now()
    given = [dependency.name for dependency in dependencies]
    messages = [message.name for message in file.message_type]
    _check_text(file.name, *messages, *file.dependency, *given)
    return ProtoRecord(
        namespace=namespace,
        file_name=file.name,
        message=RegisteredProto(
            id=f"{namespace}/{file.name}",
            namespace=namespace,
            message_names=messages,
            file_descriptor=file,
            dependencies=list(dict.fromkeys([*file.dependency, *given])),
            metadata=Metadata(created_at=now, updated_at=now),
        ),
    )


def _now() -> Timestamp:
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    return Timestamp(seconds=seconds, nanos=nanos)


def _check_text(*names: object) -> None:
    """Raises `InvalidRecord` unless all are text. Descriptors are proto2: protobuf takes names that
    are not UTF-8, and hands them out as bytes.
    """
    if not all(isinstance(name, str) for name in names):
        raise InvalidRecord("a name in the descriptor is not UTF-8")
