"""What surrounds every method of a service: the errand's id and deadline, reading the request,
turning failures into codes, a log line and a span.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError, Message

from shared_system import errand, logs, tracing
from shared_system.failures import Failure, trailer
from shared_system.practices import Practices

__all__ = ["Observer", "unary"]

_LOG = logging.getLogger(__name__)
_Context = grpc.aio.ServicerContext[Any, Any]
_Method = Callable[[Any], Awaitable[Message]]


class Observer:
    """Surrounds the methods of one service."""

    def __init__(self, practices: Practices) -> None:
        self._practices = practices

    def surround(self, path: str, request: type[Message], method: _Method) -> Any:
        """Returns a behaviour for gRPC of raw request bytes, around `method`."""

        async def behaviour(data: bytes, context: _Context) -> Message:
            received = dict(context.invocation_metadata() or ())
            offered = received.get(errand.CORRELATION_HEADER)
            errand.begin(
                # Where an interceptor began the errand, it goes on.
                offered if isinstance(offered, str) else errand.correlation_id() or None,
                context.time_remaining() if self._practices.timeouts else None,
            )
            began = time.monotonic()
            status = "CANCELLED"
            parent = {key: value for key, value in received.items() if isinstance(value, str)}
            try:
                with tracing.span(path, "SERVER", parent):
                    reply = await method(_read(request, data))
                status = "OK"
                return reply
            except Failure as failure:
                status = self._code(failure).name
                await self._refuse(context, failure)
            except Exception:  # noqa: BLE001 - a caller is never shown what broke
                status = grpc.StatusCode.INTERNAL.name
                _LOG.exception(
                    logs.line("broken", method=path, correlation_id=errand.correlation_id())
                )
                await self._refuse(context, Failure(grpc.StatusCode.INTERNAL, "internal error"))
            finally:
                self._tell(path, status, time.monotonic() - began, context.peer())

        return behaviour

    def _code(self, failure: Failure) -> grpc.StatusCode:
        return failure.code if self._practices.codes else grpc.StatusCode.INTERNAL

    async def _refuse(self, context: _Context, failure: Failure) -> NoReturn:
        await context.abort(self._code(failure), failure.message, trailer(failure))

    def _tell(self, path: str, status: str, seconds: float, peer: str) -> None:
        if self._practices.logging:
            _LOG.info(
                logs.line(
                    "served",
                    method=path,
                    status=status,
                    duration_ms=seconds * 1000,
                    peer=peer,
                    correlation_id=errand.correlation_id(),
                )
            )


def unary(
    observer: Observer, service: str, methods: dict[str, tuple[type[Message], _Method]]
) -> grpc.GenericRpcHandler:
    """Returns the handler of a service's unary methods, each surrounded by the observer.

    The requests are read by us and not by gRPC, which answers INTERNAL to bytes that are no
    message: they are the caller's mistake.
    """
    return grpc.method_handlers_generic_handler(
        service,
        {
            name: grpc.unary_unary_rpc_method_handler(
                observer.surround(f"/{service}/{name}", request, method),
                request_deserializer=None,
                response_serializer=lambda message: message.SerializeToString(),
            )
            for name, (request, method) in methods.items()
        },
    )


def _read(request: type[Message], data: bytes) -> Message:
    message = request()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise Failure(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"the request is not a {message.DESCRIPTOR.full_name}",
        ) from error
    return message
