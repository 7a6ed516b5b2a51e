"""The ongoing look at every service on the port, over the loopback (S0, OPS-001): what cannot be
called there is not serving.

A look changes nothing: each service is asked what has no effect, and an answer that refuses is
an answer too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection_pb2  # type: ignore[import-untyped]

from collector_reference.descriptors import (
    ADMIN,
    DISPATCHER,
    HEALTH,
    PORT,
    REFLECTION,
    REFLECTION_ALPHA,
    REGISTRY,
)
from collector_reference.wire.admin_pb2 import ListHandlersRequest
from collector_reference.wire.dispatcher_pb2 import ServeRequest
from collector_reference.wire.registry_pb2 import ListServicesRequest

__all__ = ["LOOK", "LOOKS", "LoopbackHealth"]

_LOG = logging.getLogger(__name__)

LOOK = ("x-collector-look", "true")
"""The metadata of a look, beside that of the loopback."""

_ABSENT = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
)
"""What is no answer of the service. A refusal such as PERMISSION_DENIED is one: it is there."""

_NOBODY = "\N{REPLACEMENT CHARACTER}"
"""A namespace that nothing is in, so that its list is short."""

LOOKS: dict[str, tuple[str, Any]] = {
    # Without a namespace it is refused before anything is looked up.
    DISPATCHER: ("Serve", ServeRequest()),
    REGISTRY: ("ListServices", ListServicesRequest(namespace=_NOBODY)),
    HEALTH: ("Check", health_pb2.HealthCheckRequest()),
    PORT: ("Runs", Empty()),
    ADMIN: ("ListHandlers", ListHandlersRequest(namespace=_NOBODY)),
}
_LOOK_BY_REFLECTION = reflection_pb2.ServerReflectionRequest(list_services="*")


class LoopbackHealth:
    """Looks at the services of one port again and again."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        services: Iterable[str],
        *,
        every: float,
        limit: float,
        metadata: tuple[tuple[str, str], ...],
        uncount: Callable[[str], None],
    ) -> None:
        """`every` and `limit` are seconds between looks and for one; `uncount` is told each path
        that was called, so that the looks are not among the calls that are counted.
        """
        self._channel = channel
        self._services = tuple(services)
        self._every = every
        self._limit = limit
        self._metadata = metadata
        self._uncount = uncount

    async def run(self, tell: Callable[[frozenset[str]], Awaitable[None]]) -> None:
        """Tells which services are absent whenever that changes, until it is cancelled."""
        absent: frozenset[str] = frozenset()
        while True:
            await asyncio.sleep(self._every)
            before, absent = absent, await self.look()
            if absent != before:
                for service in sorted(absent - before):
                    _LOG.warning("%s cannot be called on the own port", service)
                await tell(absent)

    async def look(self) -> frozenset[str]:
        """Returns the services that cannot be called now."""
        there = await asyncio.gather(*(self._is_there(service) for service in self._services))
        return frozenset(
            service for service, is_there in zip(self._services, there, strict=True) if not is_there
        )

    async def _is_there(self, service: str) -> bool:
        path = f"/{service}/{'ServerReflectionInfo' if service in _STREAMS else LOOKS[service][0]}"
        try:
            if service in _STREAMS:
                await self._first_answer(path)
            else:
                request = LOOKS[service][1]
                rpc: Any = self._channel.unary_unary(path, request_serializer=_serialised)
                await rpc(request, timeout=self._limit, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                # Perhaps it did not get there, then it was not counted either.
                return False
            self._uncount(path)
            return error.code() not in _ABSENT
        self._uncount(path)
        return True

    async def _first_answer(self, path: str) -> None:
        async def once() -> AsyncIterator[Any]:
            yield _LOOK_BY_REFLECTION

        rpc: Any = self._channel.stream_stream(path, request_serializer=_serialised)
        async for _ in rpc(once(), timeout=self._limit, metadata=self._metadata):
            pass


_STREAMS = (REFLECTION, REFLECTION_ALPHA)


def _serialised(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data
