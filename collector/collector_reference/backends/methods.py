"""A backend's methods by its descriptors: which can be forwarded, and what they take and give.

Descriptors live in a pool of their own for each backend; no socket is opened here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet, ServiceDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from collector_reference.dispatch.payloads import bytes_of
from collector_reference.errors import BackendUnusable

__all__ = ["BackendMethod", "BackendService", "read_service"]

_PREFIX = "type.googleapis.com/"


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendMethod:
    """A unary method of a backend."""

    path: str
    """As it is called, such as `/shop.v1.Orders/Create`."""
    name: str
    input: Descriptor
    output: Descriptor

    def request(self, payload: Any | None) -> bytes:
        """Returns the bytes that the backend is sent for a payload.

        It may be given as `bytes_of` says; raises `HandlerFailed` (400) for anything else.
        """
        return bytes_of(payload, self.input, taker=self.path[1:])

    def answer(self, data: bytes) -> Any:
        """Returns what the caller gets for the bytes that the backend answered."""
        return Any(type_url=_PREFIX + self.output.full_name, value=data)


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendService:
    """A service of a backend, and those of its methods that are forwarded."""

    descriptor: ServiceDescriptorProto
    """With its full name, and the forwarded methods only: what the registry gets."""
    methods: tuple[BackendMethod, ...]


def read_service(
    files: FileDescriptorSet, service: str, *, address: str, methods: Sequence[str] | None
) -> BackendService:
    """Returns the service as the files describe it, all its methods or the named ones.

    Raises `BackendUnusable` when it is not there, when a file is broken or missing, and when a
    method to forward streams: such a call has many messages, and Dispatch has one.
    """
    try:
        found = _pool(files).FindServiceByName(service)
    except KeyError as error:
        raise BackendUnusable(service, address, "its descriptors do not have it") from error
    except (TypeError, ValueError) as error:
        raise BackendUnusable(
            service, address, f"its descriptors cannot be used: {error}"
        ) from error
    wanted = list(found.methods_by_name) if methods is None else list(methods)
    unknown = [name for name in wanted if name not in found.methods_by_name]
    if unknown:
        raise BackendUnusable(service, address, f"it has no method {', '.join(unknown)}")
    streaming = [
        name
        for name in wanted
        if found.methods_by_name[name].client_streaming
        or found.methods_by_name[name].server_streaming
    ]
    if streaming:
        raise BackendUnusable(
            service,
            address,
            f"{', '.join(streaming)} of it streams, and only unary methods can be dispatched: "
            "name those to forward by `methods`, or move the streaming ones to another service",
        )
    if not wanted:
        raise BackendUnusable(service, address, "it has no method to forward")
    descriptor = ServiceDescriptorProto()
    found.CopyToProto(descriptor)
    descriptor.name = service
    kept = [method for method in descriptor.method if method.name in wanted]
    del descriptor.method[:]
    descriptor.method.extend(kept)
    return BackendService(
        descriptor=descriptor,
        methods=tuple(
            BackendMethod(
                path=f"/{service}/{name}",
                name=name,
                input=found.methods_by_name[name].input_type,
                output=found.methods_by_name[name].output_type,
            )
            for name in wanted
        ),
    )


def _pool(files: FileDescriptorSet) -> DescriptorPool:
    pool = DescriptorPool()
    waiting = {file.name: file for file in files.file}
    while waiting:
        ready = [
            file
            for file in waiting.values()
            if not any(name in waiting for name in file.dependency)
        ]
        if not ready:
            raise ValueError(f"its files import each other: {', '.join(sorted(waiting))}")
        for file in ready:
            pool.Add(file)
            del waiting[file.name]
    return pool
