"""A service as a gRPC server, in this process or as a process of its own.

What it serves is given to it. Here are its port, health, reflection, registration, and its end.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]

from shared_system.health import Health

__all__ = ["SERVER_OPTIONS", "CannotListen", "Serving", "run_until_told", "serving"]

SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 256 * 1024),
)
"""A port is one server's, and a request has at most 256 KiB."""


class CannotListen(Exception):
    """The address cannot be bound."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What is served, and where."""

    service: ServiceDescriptor
    handler: grpc.GenericRpcHandler
    is_well: Callable[[], Awaitable[bool]]
    listen: str = "127.0.0.1:0"
    grace_seconds: float = 10.0
    """Calls in flight may take so long when it ends; 0 cuts them."""
    credentials: grpc.ServerCredentials | None = None
    """Without them the port is not encrypted."""
    interceptors: tuple[grpc.aio.ServerInterceptor, ...] = ()
    registered: str = ""
    """`host:port/namespace` of a collector's registry that is told of it, or nothing."""


@asynccontextmanager
async def serving(what: Serving) -> AsyncIterator[str]:
    """Serves while the block runs, and yields the address. Raises `CannotListen`."""
    server = grpc.aio.server(
        interceptors=what.interceptors,
        options=SERVER_OPTIONS,
    )
    health = Health(what.service.full_name, what.is_well)
    server.add_generic_rpc_handlers((what.handler,))
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = (what.service.full_name, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
    reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), server)
    host = what.listen.rpartition(":")[0]
    try:
        if what.credentials is None:
            port = server.add_insecure_port(what.listen)
        else:
            port = server.add_secure_port(what.listen, what.credentials)
    except RuntimeError as error:
        raise CannotListen(f"cannot listen on {what.listen}") from error
    if port == 0:
        raise CannotListen(f"cannot listen on {what.listen}")
    await server.start()
    address = f"{host}:{port}"
    try:
        if what.registered:
            # Only who registers has to import it, which takes a while.
            from shared_system import registry

            where, _, namespace = what.registered.partition("/")
            await registry.register(where, namespace, what.service, address)
        yield address
        health.leave()
    finally:
        await server.stop(what.grace_seconds or None)


async def run_until_told(
    name: str, served: AbstractAsyncContextManager[str], *, gracefully: bool
) -> None:
    """Serves as a process: prints `NAME listening on ADDRESS`, and ends on SIGTERM or SIGINT.

    Not `gracefully`, the process is gone at once, with the calls in flight.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set if gracefully else lambda: os._exit(1))
    async with served as address:
        print(f"{name} listening on {address}", flush=True)
        await told.wait()
