"""RPCs of a reference collector that fail or are late, by service and method.

It stands before the collector's own interceptors, so a call that fails here never ran.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio

from collector_harness.faults.values import RpcFault

__all__ = ["RpcFaults"]

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class RpcFaults(grpc.aio.ServerInterceptor):
    """The RPC faults that are in force at one node."""

    def __init__(self) -> None:
        self._faults: list[RpcFault] = []

    def add(self, fault: RpcFault) -> None:
        """From now on the fault is in force, for calls that come in later."""
        self._faults.append(fault)

    def remove(self, fault: RpcFault) -> None:
        """From now on it is not."""
        self._faults.remove(fault)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Returns the handler, or one that fails or is late."""
        if not self._faults:
            return await continuation(handler_call_details)
        path = handler_call_details.method.removeprefix("/")
        fault = next((each for each in reversed(self._faults) if _concerns(each, path)), None)
        if fault is None:
            return await continuation(handler_call_details)
        delay = fault.delay.total_seconds()
        if fault.drop_after is None and fault.status is not None:
            return _failing(fault, delay)
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        return _late_or_dropped(handler, fault, delay)


def _concerns(fault: RpcFault, path: str) -> bool:
    wanted = fault.rpc.removeprefix("/")
    if wanted.endswith("/*"):
        return path.rpartition("/")[0] == wanted[:-2]
    return path == wanted


def _code(fault: RpcFault) -> grpc.StatusCode:
    return grpc.StatusCode[fault.status or "UNAVAILABLE"]


def _failing(fault: RpcFault, delay: float) -> Handler:
    async def fail(_requests: object, context: Context) -> None:
        await asyncio.sleep(delay)
        await context.abort(_code(fault), fault.message)

    # Streaming on both sides, so that it ends a call of any kind without reading from it.
    return grpc.stream_stream_rpc_method_handler(fail)


class _Counting:
    """The context of a call that breaks off once so many messages were sent, however they are."""

    def __init__(self, context: Context, fault: RpcFault) -> None:
        self._context = context
        self._fault = fault
        self._sent = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, message: object) -> None:
        """Sends a message, and counts it."""
        await self._context.write(message)
        await self.count(1)

    async def count(self, messages: int) -> None:
        """Counts what was sent; breaks off where it is enough. At once: there may never be another
        message, as of a health that is watched.
        """
        self._sent += messages
        if self._sent == self._fault.drop_after:
            await self._context.abort(_code(self._fault), self._fault.message)


def _late_or_dropped(handler: Handler, fault: RpcFault, delay: float) -> Handler:
    inner: Any = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    streams: bool = handler.response_streaming

    async def unary(request: object, context: Context) -> object:
        await asyncio.sleep(delay)
        if fault.drop_after == 0:
            await context.abort(_code(fault), fault.message)
        answer = inner(request, context)
        return await answer if asyncio.iscoroutine(answer) else answer

    async def stream(request: object, context: Context) -> AsyncIterator[object]:
        await asyncio.sleep(delay)
        counting = _Counting(context, fault)
        await counting.count(0)
        answers = inner(request, counting)
        if asyncio.iscoroutine(answers):
            await answers  # it writes its messages itself
            return
        async for message in answers:
            yield message
            await counting.count(1)

    make: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[(handler.request_streaming, streams)]
    made: Handler = make(
        stream if streams else unary,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return made
