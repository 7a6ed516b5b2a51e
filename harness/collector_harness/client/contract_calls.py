# ruff: noqa: ASYNC109 - a deadline goes over the wire; asyncio.timeout does not
"""The eight RPCs of the contract and health, each as a method with typed arguments.

How a request gets to the node and what becomes of the answer is `node_client`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Final

from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]

from collector_harness.client.dialects import CONNECT
from collector_harness.client.encoding import to_any
from collector_harness.client.pools import TypePool
from collector_harness.client.reply import Reply
from collector_harness.client.transport import MetadataInput
from collector_reference.wire import common_pb2, dispatcher_pb2, registry_pb2

__all__ = ["DEFAULT_TIMEOUT", "ContractCalls"]

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds that a call may take where the caller says nothing."""

_DISPATCHER = "/collector.CollectiveDispatcher/"
_REGISTRY = "/collector.CollectorRegistry/"
_HEALTH = "/grpc.health.v1.Health/Check"


class ContractCalls(ABC):
    """Calls of the contract, by whatever makes them.

    `timeout` is in seconds everywhere, None for no deadline. `metadata` is a mapping or pairs.
    """

    @property
    @abstractmethod
    def _types(self) -> TypePool | None:
        """The types that inputs may name."""

    @abstractmethod
    async def _typed(
        self,
        path: str,
        request: Message,
        kind: type[Message],
        metadata: MetadataInput,
        timeout: float | None,
        append: bytes = b"",
    ) -> Reply:
        """Makes a unary call, with `append` behind the encoded request."""

    async def dispatch(
        self,
        namespace: str,
        service: str,
        method: str,
        input: object = None,
        *,
        target: str = "",
        routing_hints: Mapping[str, str] | None = None,
        service_namespace: str = "",
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Lets the node route a call. `input` is what `to_any` takes; `target` the id of the
        only collector that may execute it; `service_namespace` the one inside the service
        reference (SRV-014).
        """
        request = dispatcher_pb2.DispatchRequest(
            namespace=namespace,
            service=_service(service, service_namespace),
            method_name=method,
            input=to_any(input, types=self._types),
            target_collector_id=target,
            routing_hints=routing_hints,
        )
        return await self._typed(
            _DISPATCHER + "Dispatch", request, dispatcher_pb2.DispatchResponse, metadata, timeout
        )

    async def serve(
        self,
        namespace: str,
        service: str,
        method: str,
        input: object = None,
        *,
        execution_context: Mapping[str, str] | None = None,
        service_namespace: str = "",
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Lets the node execute a call itself."""
        request = dispatcher_pb2.ServeRequest(
            namespace=namespace,
            service=_service(service, service_namespace),
            method_name=method,
            input=to_any(input, types=self._types),
            execution_context=execution_context,
        )
        return await self._typed(
            _DISPATCHER + "Serve", request, dispatcher_pb2.ServeResponse, metadata, timeout
        )

    async def connect(
        self,
        collector_id: str,
        address: str,
        namespaces: Iterable[str] = (),
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Asks the node, as the collector of that id at that address, to join."""
        request = dispatcher_pb2.ConnectRequest(
            collector_id=collector_id, address=address, namespaces=namespaces
        )
        return await self._typed(
            CONNECT, request, dispatcher_pb2.ConnectResponse, metadata, timeout
        )

    async def register_service(
        self,
        namespace: str,
        service: str = "",
        methods: Iterable[str | MethodDescriptorProto] = (),
        *,
        descriptor: ServiceDescriptorProto | None = None,
        file: FileDescriptorProto | None = None,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Registers a service: by its name and methods (unary, of `Any`, where they are only
        names), or by a whole descriptor.
        """
        if descriptor is None:
            descriptor = ServiceDescriptorProto(
                name=service, method=[_method(method) for method in methods]
            )
        request = registry_pb2.RegisterServiceRequest(
            namespace=namespace, service_descriptor=descriptor, file_descriptor=file
        )
        return await self._typed(
            _REGISTRY + "RegisterService",
            request,
            registry_pb2.RegisterServiceResponse,
            metadata,
            timeout,
        )

    async def register_proto(
        self,
        namespace: str,
        file: FileDescriptorProto | None,
        dependencies: Iterable[FileDescriptorProto] = (),
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Registers a file of message types; None leaves the descriptor out (REG-002)."""
        request = registry_pb2.RegisterProtoRequest(
            namespace=namespace, file_descriptor=file, dependencies=dependencies
        )
        return await self._typed(
            _REGISTRY + "RegisterProto",
            request,
            registry_pb2.RegisterProtoResponse,
            metadata,
            timeout,
        )

    async def lookup_service(
        self,
        namespace: str,
        service: str,
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Finds a service in the node's registry."""
        request = registry_pb2.LookupServiceRequest(namespace=namespace, service_name=service)
        return await self._typed(
            _REGISTRY + "LookupService",
            request,
            registry_pb2.LookupServiceResponse,
            metadata,
            timeout,
        )

    async def validate(
        self,
        namespace: str,
        service: str,
        method: str,
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Asks the node's registry whether a method is registered."""
        request = registry_pb2.ValidateMethodRequest(
            namespace=namespace, service_name=service, method_name=method
        )
        return await self._typed(
            _REGISTRY + "ValidateMethod",
            request,
            registry_pb2.ValidateMethodResponse,
            metadata,
            timeout,
        )

    async def list_services(
        self,
        namespace: str = "",
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Lists the services of a namespace, or of all."""
        request = registry_pb2.ListServicesRequest(namespace=namespace)
        return await self._typed(
            _REGISTRY + "ListServices",
            request,
            registry_pb2.ListServicesResponse,
            metadata,
            timeout,
        )

    async def health(self, service: str = "", *, timeout: float | None = DEFAULT_TIMEOUT) -> Reply:
        """Asks the health service; the output is such as `{"status": "SERVING"}`."""
        request = health_pb2.HealthCheckRequest(service=service)
        return await self._typed(_HEALTH, request, health_pb2.HealthCheckResponse, (), timeout)


def _service(name: str, namespace: str) -> common_pb2.ServiceTypeRef:
    return common_pb2.ServiceTypeRef(namespace=namespace, service_name=name)


def _method(method: str | MethodDescriptorProto) -> MethodDescriptorProto:
    if isinstance(method, MethodDescriptorProto):
        return method
    message = ".google.protobuf.Any"
    return MethodDescriptorProto(name=method, input_type=message, output_type=message)
