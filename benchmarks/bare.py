"""The floors' servers: plain grpc.aio and the generated code, with nothing of ours.

They speak the same messages as a collector and do the work that a contest is
about, and nothing else: no checks, no validation, no log lines, no statistics.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection, reflection_pb2  # type: ignore[import-untyped]

from collector_reference.wire import (
    common_pb2,
    dispatcher_pb2,
    dispatcher_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
)

__all__ = [
    "CHANNEL_OPTIONS",
    "Echo",
    "Registry",
    "Relay",
    "echo",
    "relay",
    "start",
    "start_with_every_service",
    "with_every_service",
]

CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
SERVER_OPTIONS = (("grpc.so_reuseport", 0),)
NAME = "bare"

Context = grpc.aio.ServicerContext[Any, Any]


class Echo(dispatcher_pb2_grpc.CollectiveDispatcherServicer):
    """Answers Dispatch and Serve with their input."""

    async def Dispatch(  # noqa: N802  the contract's name
        self,
        request: dispatcher_pb2.DispatchRequest,
        context: Context,  # noqa: ARG002
    ) -> dispatcher_pb2.DispatchResponse:
        return dispatcher_pb2.DispatchResponse(
            status=common_pb2.Status(code=common_pb2.Status.HTTP_OK, message="OK"),
            output=request.input,
            handled_by_collector_id=NAME,
        )

    async def Serve(  # noqa: N802
        self,
        request: dispatcher_pb2.ServeRequest,
        context: Context,  # noqa: ARG002
    ) -> dispatcher_pb2.ServeResponse:
        return dispatcher_pb2.ServeResponse(
            status=common_pb2.Status(code=common_pb2.Status.HTTP_OK, message="OK"),
            output=request.input,
            executor_id=NAME,
        )


class Registry(registry_pb2_grpc.CollectorRegistryServicer):
    """Says of every method that it is valid."""

    async def ValidateMethod(  # noqa: N802
        self,
        request: registry_pb2.ValidateMethodRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> registry_pb2.ValidateMethodResponse:
        return registry_pb2.ValidateMethodResponse(
            status=common_pb2.Status(message="OK"), is_valid=True
        )


class Relay(Echo):
    """Answers Serve with its input, after a call to ValidateMethod on its own port."""

    registry: registry_pb2_grpc.CollectorRegistryAsyncStub

    async def Serve(  # noqa: N802
        self, request: dispatcher_pb2.ServeRequest, context: Context
    ) -> dispatcher_pb2.ServeResponse:
        answer = await self.registry.ValidateMethod(
            registry_pb2.ValidateMethodRequest(
                namespace=request.namespace,
                service_name=request.service.service_name,
                method_name=request.method_name,
            )
        )
        assert answer.is_valid
        return await super().Serve(request, context)


async def start(*attach: Callable[[grpc.aio.Server], None]) -> tuple[grpc.aio.Server, str]:
    """Starts a server on a free port of the loopback interface; returns it and its address."""
    server = grpc.aio.server(options=SERVER_OPTIONS)
    for attaching in attach:
        attaching(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"


async def start_with_every_service() -> tuple[grpc.aio.Server, str]:
    """Starts a server with the five services that a collector has."""
    return await start(_attach_echo, _attach_registry, _attach_health, _attach_reflection)


@asynccontextmanager
async def with_every_service() -> AsyncIterator[str]:
    """Serves what `start_with_every_service` starts, and yields its address."""
    server, address = await start_with_every_service()
    try:
        yield address
    finally:
        await server.stop(None)


@asynccontextmanager
async def echo() -> AsyncIterator[str]:
    """Serves `Echo` and yields its address."""
    server, address = await start(_attach_echo)
    try:
        yield address
    finally:
        await server.stop(None)


@asynccontextmanager
async def relay() -> AsyncIterator[str]:
    """Serves `Relay` and `Registry` on one port and yields its address."""
    servicer = Relay()  # type: ignore[abstract]
    server, address = await start(
        lambda server: dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(
            servicer, server
        ),
        _attach_registry,
    )
    try:
        async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
            servicer.registry = registry_pb2_grpc.CollectorRegistryStub(channel)
            yield address
    finally:
        await server.stop(None)


def _attach_echo(server: grpc.aio.Server) -> None:
    # The stubs call every method of a servicer abstract; the generated code answers
    # UNIMPLEMENTED for what is left out.
    servicer = Echo()  # type: ignore[abstract]
    dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(servicer, server)


def _attach_registry(server: grpc.aio.Server) -> None:
    servicer = Registry()  # type: ignore[abstract]
    registry_pb2_grpc.add_CollectorRegistryServicer_to_server(servicer, server)


def _attach_health(server: grpc.aio.Server) -> None:
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)


def _attach_reflection(server: grpc.aio.Server) -> None:
    names = ("collector.CollectiveDispatcher", "collector.CollectorRegistry")
    reflection.enable_server_reflection(names, server)
    # The library serves v1alpha only; the messages of v1 are the same.
    handlers = {
        "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(
            reflection.aio.ReflectionServicer(names).ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
    }
    service = "grpc.reflection.v1.ServerReflection"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_registered_method_handlers(service, handlers)
