"""Health and reflection: the two standard services beside the collector's own.

Both come from gRPC's own packages; here they are put on the port.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_health.v1.health import aio as health_aio  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import (  # type: ignore[import-untyped]
    reflection,
    reflection_pb2,
    reflection_pb2_grpc,
)

from collector_reference.descriptors import ADMIN, DISPATCHER, REFLECTION, REGISTRY, pool

__all__ = ["Health", "add_reflection"]


class Health:
    """What the health service says of every service on the port (OPS-001)."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = ("", *services)
        self._servicer = health_aio.HealthServicer()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Puts the service on the port."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def set(self, *, serving: bool, absent: Collection[str] = ()) -> None:
        """Says SERVING or NOT_SERVING for every service, and for the server as a whole.

        The services that are `absent` do not serve, and the server does not without its
        dispatcher or its registry.
        """
        whole = serving and DISPATCHER not in absent and REGISTRY not in absent
        for service in self._services:
            serves = serving and service not in absent if service else whole
            await self._servicer.set(
                service,
                health_pb2.HealthCheckResponse.SERVING
                if serves
                else health_pb2.HealthCheckResponse.NOT_SERVING,
            )


def add_reflection(server: grpc.aio.Server, services: Iterable[str]) -> None:
    """Puts both versions of reflection on the port (OPS-002)."""
    names = tuple(services)
    servicer = reflection.aio.ReflectionServicer(names, pool=pool(admin=ADMIN in names))
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    # The messages of both versions are the same on the wire.
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(REFLECTION, {"ServerReflectionInfo": handler}),)
    )
