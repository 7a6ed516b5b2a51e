"""The standard health service of gRPC, answered by asking the database at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

__all__ = ["Health"]

_Context = grpc.aio.ServicerContext[Any, Any]
_Answer = health_pb2.HealthCheckResponse  # its module is not typed
_WATCH_SECONDS = 0.5


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Tells of the server as a whole (`""`) and of one service by its name."""

    def __init__(self, service: str, is_well: Callable[[], Awaitable[bool]]) -> None:
        self._known = ("", service)
        self._is_well = is_well
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Says NOT_SERVING from now on."""
        self._leaving.set()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: _Context) -> Any:  # noqa: N802
        """Answers once. NOT_FOUND for a service that is not here."""
        if request.service not in self._known:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} here")
        return _Answer(status=await self._status())

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, _context: _Context
    ) -> AsyncIterator[Any]:
        """Answers at once and whenever it changes, until the server leaves."""
        if request.service not in self._known:
            yield _Answer(status=_Answer.SERVICE_UNKNOWN)
            return
        last = None
        while True:
            leaving = self._leaving.is_set()
            status = await self._status()
            if status != last:
                last = status
                yield _Answer(status=status)
            if leaving:
                return
            try:
                await asyncio.wait_for(self._leaving.wait(), _WATCH_SECONDS)
            except TimeoutError:
                pass

    async def _status(self) -> Any:
        if self._leaving.is_set() or not await self._is_well():
            return _Answer.NOT_SERVING
        return _Answer.SERVING
