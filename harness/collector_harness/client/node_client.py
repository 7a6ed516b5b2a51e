# ruff: noqa: ASYNC109 - a deadline goes over the wire; asyncio.timeout does not
"""Calls to one node: the eight RPCs typed, and any other by its name.

No answer of a node raises anything: gRPC errors and broken answers are `Reply` values
too. Only what the caller asks for in a way that cannot be sent raises `InvalidInput`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]

from collector_harness.client.credentials import PLAINTEXT, ClientCredentials
from collector_harness.client.decoding import from_message, json_values
from collector_harness.client.descriptor_sets import pool_of
from collector_harness.client.dialects import CONNECT, DialectName, request_bytes
from collector_harness.client.encoding import to_any
from collector_harness.client.methods import Methods, method_path, request_message
from collector_harness.client.reply import Reply, grpc_reply, reply_of
from collector_harness.client.streams import StreamCall
from collector_harness.client.transport import MetadataInput, Transport, checked_metadata
from collector_harness.errors import InvalidInput, Problem
from collector_reference.wire import common_pb2, dispatcher_pb2, registry_pb2

__all__ = ["DEFAULT_TIMEOUT", "NodeClient"]

DEFAULT_TIMEOUT = 10.0
"""Seconds that a call may take where the caller says nothing."""

_DISPATCHER = "/collector.CollectiveDispatcher/"
_REGISTRY = "/collector.CollectorRegistry/"
_HEALTH = "/grpc.health.v1.Health/Check"


class NodeClient:
    """One channel to one node. Made and used on one loop, and closed there.

    `timeout` is in seconds everywhere, None for no deadline. `metadata` is a mapping or pairs.
    """

    def __init__(
        self,
        address: str,
        *,
        node: str = "",
        credentials: ClientCredentials = PLAINTEXT,
        protos: Sequence[Path] = (),
        dialect: DialectName = "native",
    ) -> None:
        """`dialect` is how the node reads ConnectRequest, and `protos` are descriptor sets and
        `.proto` files of what it serves; raises `InvalidInput` and `EnvironmentLacks` for those
        that cannot be used.
        """
        given = pool_of(protos) if protos else None
        self.address = address
        self._credentials = credentials
        self.dialect = dialect
        """How requests to connect are laid out."""
        self.node = node or address
        """The name that replies carry."""
        self._transport = Transport(address, credentials)
        self._methods = Methods(
            self._transport.channel,
            node=self.node,
            metadata=self._transport.with_token(()),
            given=given,
        )

    @property
    def transport(self) -> Transport:
        """The channel with bytes in and bytes out, for calls in bulk."""
        return self._transport

    async def close(self) -> None:
        """Closes the channel; calls in flight are answered CANCELLED."""
        await self._transport.close()

    def giving_up(self, seconds: float) -> Self:
        """Returns this client for a caller that cancels each call which takes longer.

        It shares the channel, and is not closed.
        """
        impatient = copy.copy(self)
        impatient._transport = self._transport.giving_up(seconds)
        return impatient

    async def until_connected(self, *, seconds: float) -> None:
        """Returns once the channel is connected, or the time is over; for a node that was away,
        which the channel would look for again only after a pause.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._transport.channel.channel_ready()

    async def why_unreachable(self, *, seconds: float = 1.0) -> str | None:
        """Returns why the node and this client do not understand each other, where it is that one
        of them speaks TLS and the other does not, or that a certificate is not trusted.
        """
        return await self._credentials.why_unreachable(self.address, seconds=seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

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
            input=to_any(input, types=self._methods.types),
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
            input=to_any(input, types=self._methods.types),
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

    async def call(
        self,
        full_method: str,
        request: object = None,
        *,
        append: bytes = b"",
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Calls a method by its name, such as `collector.CollectorRegistry/ListServices`.

        `request` is a mapping in protobuf's JSON form (or a message). The contract, health and
        `conformance.Port` are known; anything else is asked for by server reflection. A method
        that answers by a stream is read to its end, and `response` is a list then. `append` are
        bytes to send behind the encoded request. Raises `InvalidInput` for a method that is not
        known, and for a request that does not fit it.
        """
        path = method_path(full_method)
        method = await self._methods.find(path)
        if method.client_streaming:
            raise InvalidInput(
                Problem(message=f"{path[1:]} takes a stream, and only single requests can be sent")
            )
        message = request_message(method, request)
        kind: type[Message] = GetMessageClass(method.output_type)
        if method.server_streaming:
            return await self._streamed(path, message, kind, metadata, timeout)
        return await self._typed(path, message, kind, metadata, timeout, append=append)

    async def open_stream(
        self,
        full_method: str,
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> StreamCall:
        """Opens a call of any kind, to be made message by message; `timeout` is for all of it.

        Raises `InvalidInput` for a method that is not known.
        """
        path = method_path(full_method)
        method = await self._methods.find(path)
        return StreamCall(
            self._transport,
            method,
            node=self.node,
            path=path,
            types=self._methods.types,
            metadata=metadata,
            timeout=timeout,
            dialect=self.dialect,
        )

    async def call_raw(
        self,
        full_method: str,
        request: bytes,
        *,
        streaming: bool = False,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Calls a method with these bytes; `output` is the bytes of the answer, or a list of
        them for an answer that is a stream. Nothing has to be known of the method.
        """
        path = method_path(full_method)
        pairs = checked_metadata(metadata)
        output: object
        if streaming:
            received, output = await self._transport.server_stream(
                path, request, timeout=timeout, metadata=pairs
            )
        else:
            received = await self._transport.unary(path, request, timeout=timeout, metadata=pairs)
            output = received.body
        return grpc_reply(
            received,
            node=self.node,
            rpc=path,
            request={"@bytes": base64.b64encode(request).decode("ascii")},
            output=output,
            response=None if received.body is None else json_values(output),
        )

    async def _typed(
        self,
        path: str,
        request: Message,
        kind: type[Message],
        metadata: MetadataInput,
        timeout: float | None,
        append: bytes = b"",
    ) -> Reply:
        received = await self._transport.unary(
            path,
            request_bytes(path, request, self.dialect) + append,
            timeout=timeout,
            metadata=checked_metadata(metadata),
        )
        return reply_of(
            received,
            node=self.node,
            rpc=path,
            request=self._shown(request),
            kind=kind,
            types=self._methods.types,
        )

    async def _streamed(
        self,
        path: str,
        request: Message,
        kind: type[Message],
        metadata: MetadataInput,
        timeout: float | None,
    ) -> Reply:
        received, bodies = await self._transport.server_stream(
            path,
            request.SerializeToString(),
            timeout=timeout,
            metadata=checked_metadata(metadata),
        )
        output: list[object] = []
        for body in bodies:
            try:
                output.append(from_message(kind.FromString(body), types=self._methods.types))
            except Exception:  # noqa: BLE001 - whatever protobuf says of hostile bytes
                output.append({"@bytes": base64.b64encode(body).decode("ascii")})
        return grpc_reply(
            received,
            node=self.node,
            rpc=path,
            request=self._shown(request),
            output=output,
            response=json_values(output),
        )

    def _shown(self, request: Message) -> object:
        return json_values(from_message(request, types=self._methods.types))


def _service(name: str, namespace: str) -> common_pb2.ServiceTypeRef:
    return common_pb2.ServiceTypeRef(namespace=namespace, service_name=name)


def _method(method: str | MethodDescriptorProto) -> MethodDescriptorProto:
    if isinstance(method, MethodDescriptorProto):
        return method
    message = ".google.protobuf.Any"
    return MethodDescriptorProto(name=method, input_type=message, output_type=message)
