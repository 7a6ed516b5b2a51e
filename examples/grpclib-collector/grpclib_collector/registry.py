"""The registry: which services and message files each namespace has, kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import ServiceDescriptorProto
from grpclib.const import Status as GrpcStatus
from grpclib.exceptions import GRPCError

from grpclib_collector import contract

__all__ = ["Registry", "RegistryStore"]

OK, NOT_FOUND = 0, 4


class RegistryStore:
    """The records. A key is a pair, so that ("a/b", "c") and ("a", "b/c") stay two."""

    def __init__(self) -> None:
        self._services: dict[tuple[str, str], Any] = {}
        self._files: dict[tuple[str, str], Any] = {}
        self.on_change: Callable[[], None] = lambda: None

    def add_service(self, namespace: str, descriptor: ServiceDescriptorProto) -> Any:
        """Returns the new record, or None where there is one already."""
        key = (namespace, descriptor.name)
        if key in self._services:
            return None
        record = contract.RegisteredService(
            id=f"{namespace}/{descriptor.name}",
            namespace=namespace,
            service_name=descriptor.name,
            service_descriptor=descriptor,
            method_names=[method.name for method in descriptor.method],
        )
        record.metadata.created_at.GetCurrentTime()
        record.metadata.updated_at.CopyFrom(record.metadata.created_at)
        self._services[key] = record
        self.on_change()
        return record

    def add_file(self, namespace: str, file: Any) -> bool:
        key = (namespace, file.name)
        if key in self._files:
            return False
        self._files[key] = file
        return True

    def service(self, namespace: str, name: str) -> Any:
        return self._services.get((namespace, name))

    def services(self, namespace: str) -> Iterator[Any]:
        for (owner, _), record in self._services.items():
            if namespace in ("", owner):
                yield record

    def has_method(self, namespace: str, service: str, method: str) -> bool:
        record = self.service(namespace, service)
        return bool(method) and record is not None and method in record.method_names


class Registry:
    """The RPCs of `collector.CollectorRegistry`."""

    def __init__(self, store: RegistryStore, system_namespace: str) -> None:
        self._store = store
        self._system_namespace = system_namespace

    async def RegisterService(self, request: Any, _stream: Any) -> Any:
        descriptor = request.service_descriptor
        self._check(request.namespace, request.HasField("service_descriptor"), descriptor.name)
        methods = [method.name for method in descriptor.method]
        if "" in methods or len(set(methods)) < len(methods):
            raise GRPCError(
                GrpcStatus.INVALID_ARGUMENT, "method names must be unique and not empty"
            )
        record = self._store.add_service(request.namespace, descriptor)
        if record is None:
            raise GRPCError(
                GrpcStatus.ALREADY_EXISTS,
                f"service '{descriptor.name}' is registered in '{request.namespace}' already",
            )
        return contract.RegisterServiceResponse(
            status=contract.Status(code=OK, message="OK"),
            service_id=record.id,
            registered_methods=record.method_names,
        )

    async def RegisterProto(self, request: Any, _stream: Any) -> Any:
        file = request.file_descriptor
        self._check(request.namespace, request.HasField("file_descriptor"), file.name)
        if not self._store.add_file(request.namespace, file):
            raise GRPCError(
                GrpcStatus.ALREADY_EXISTS,
                f"file '{file.name}' is registered in '{request.namespace}' already",
            )
        return contract.RegisterProtoResponse(
            status=contract.Status(code=OK, message="OK"),
            proto_id=f"{request.namespace}/{file.name}",
            registered_messages=[message.name for message in file.message_type],
        )

    async def LookupService(self, request: Any, _stream: Any) -> Any:
        record = self._store.service(request.namespace, request.service_name)
        if record is None:
            return contract.LookupServiceResponse(
                status=contract.Status(
                    code=NOT_FOUND,
                    message=f"no service '{request.service_name}' in '{request.namespace}'",
                )
            )
        return contract.LookupServiceResponse(
            status=contract.Status(code=OK, message="OK"), service=record
        )

    async def ValidateMethod(self, request: Any, _stream: Any) -> Any:
        names = request.namespace, request.service_name, request.method_name
        valid = self._store.has_method(*names)
        message = "OK" if valid else "method '{1}.{2}' is not registered in '{0}'".format(*names)
        return contract.ValidateMethodResponse(
            status=contract.Status(code=OK if valid else NOT_FOUND, message=message),
            is_valid=valid,
            message=message,
        )

    async def ListServices(self, request: Any, _stream: Any) -> Any:
        return contract.ListServicesResponse(
            status=contract.Status(code=OK, message="OK"),
            services=self._store.services(request.namespace),
        )

    def _check(self, namespace: str, has_descriptor: bool, name: str) -> None:
        for present, what in (
            (namespace, "namespace"),
            (has_descriptor, "descriptor"),
            (name, "name"),
        ):
            if not present:
                raise GRPCError(GrpcStatus.INVALID_ARGUMENT, f"{what} is required")
        if namespace == self._system_namespace:
            raise GRPCError(
                GrpcStatus.PERMISSION_DENIED,
                f"namespace '{namespace}' belongs to the collector itself",
            )
