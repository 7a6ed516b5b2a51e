"""What runs around the handler of an RPC of any kind: a check before it, and what becomes of an
error that got out of it.

Which checks there are, and what they say, is not known here.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio

__all__ = ["Context", "RpcHandler", "around"]

# Generic in their stubs only.
RpcHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

Before = Callable[[Any, Context], Awaitable[None]]
OnError = Callable[[Exception, Context], Awaitable[None]]


async def _nothing(_request: Any, _context: Context) -> None:
    pass


def around(
    handler: RpcHandler, *, before: Before | None = None, on_error: OnError | None = None
) -> RpcHandler:
    """Returns a handler of the same kind.

    `before` gets the request, or what yields requests, and ends the call by `context.abort`;
    `on_error` gets what the handler let out, and must abort.
    """
    check = before or _nothing
    kind = (
        f"{'stream' if handler.request_streaming else 'unary'}"
        f"_{'stream' if handler.response_streaming else 'unary'}"
    )
    inner: Any = getattr(handler, kind)

    async def unary(request: Any, context: Context) -> Any:
        try:
            if before is not None:
                await before(request, context)
            answer = inner(request, context)
            return await answer if inspect.isawaitable(answer) else answer
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            if on_error is None:
                raise
            await on_error(error, context)

    async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
        try:
            await check(request, context)
            answer = inner(request, context)
            if inspect.isawaitable(answer):
                await answer
                return
            async for message in answer:
                yield message
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            if on_error is None:
                raise
            await on_error(error, context)

    made: RpcHandler = getattr(grpc, f"{kind}_rpc_method_handler")(
        stream if handler.response_streaming else unary,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return made
