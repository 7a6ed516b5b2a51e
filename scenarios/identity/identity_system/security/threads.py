"""The interceptors of a synchronous server: observation, authentication, authorization.

Their order matters: observation is the outermost, because it turns failures into codes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from identity_system.security import caller
from identity_system.security.caller import Principal, Rules
from shared_system import errand, logs, tracing
from shared_system.failures import Failure, trailer

__all__ = ["Authentication", "Authorization", "Observation", "Refused", "refuse"]

_LOG = logging.getLogger(__name__)
# An RpcMethodHandler, which is no generic type where it runs.
_Handler = Any
_Continuation = Callable[[grpc.HandlerCallDetails], Any]
_Behaviour = Callable[[Any, grpc.ServicerContext], Any]


class Refused(Exception):
    """Ends a call whose code and message are set."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def refuse(context: grpc.ServicerContext, failure: Failure) -> NoReturn:
    """Ends a call with a failure's code and message."""
    context.set_trailing_metadata(trailer(failure))
    try:
        context.abort(failure.code, failure.message)
    except Exception as ended:  # a bare one, by which gRPC ends the call
        raise Refused(failure) from ended


class _Surrounding(grpc.ServerInterceptor):
    """Surrounds the unary methods of a server; others, which are tools' business, pass as they
    are where nothing is asked of their callers.
    """

    def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler:
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        return self.surround(handler_call_details.method, handler)

    def surround(self, method: str, handler: _Handler) -> _Handler:
        """Returns what takes the place of a handler."""
        raise NotImplementedError


def _instead(handler: _Handler, behaviour: _Behaviour, *, raw: bool = False) -> _Handler:
    return grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=None if raw else handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


class Observation(_Surrounding):
    """Begins the errand, reads the request, turns failures into codes, and writes a log line."""

    def surround(self, method: str, handler: _Handler) -> _Handler:
        """Returns what takes the place of a handler."""
        inner: _Behaviour = handler.unary_unary
        read = handler.request_deserializer or bytes

        def behaviour(data: bytes, context: grpc.ServicerContext) -> Any:
            received: Mapping[str, str | bytes] = dict(context.invocation_metadata())
            texts = {key: value for key, value in received.items() if isinstance(value, str)}
            errand.begin(texts.get(errand.CORRELATION_HEADER), context.time_remaining())
            began, status = time.monotonic(), "OK"
            try:
                with tracing.span(method, "SERVER", texts):
                    return inner(_message(read, data), context)
            except Refused as refused:
                status = refused.failure.code.name
                raise
            except Failure as failure:
                status = failure.code.name
                refuse(context, failure)
            except Exception:  # noqa: BLE001 - a caller is never shown what broke
                status = grpc.StatusCode.INTERNAL.name
                _LOG.exception(
                    logs.line("broken", method=method, correlation_id=errand.correlation_id())
                )
                refuse(context, Failure(grpc.StatusCode.INTERNAL, "internal error"))
            finally:
                _LOG.info(
                    logs.line(
                        "served",
                        method=method,
                        status=status,
                        duration_ms=(time.monotonic() - began) * 1000,
                        peer=context.peer(),
                        correlation_id=errand.correlation_id(),
                    )
                )

        return _instead(handler, behaviour, raw=True)


class Authentication(_Surrounding):
    """Finds out who calls. `verify` returns whose token it is, or raises `Failure`."""

    def __init__(self, rules: Rules, verify: Callable[[str], Principal]) -> None:
        self._rules = rules
        self._verify = verify

    def surround(self, method: str, handler: _Handler) -> _Handler:
        """Returns what takes the place of a handler."""
        inner: _Behaviour = handler.unary_unary

        def behaviour(request: Any, context: grpc.ServicerContext) -> Any:
            principal = None
            if caller.required(self._rules, method) != caller.ANYBODY:
                principal = self._verify(caller.bearer_of(context.invocation_metadata()))
            with caller.acting(principal):
                return inner(request, context)

        return _instead(handler, behaviour)


class Authorization(_Surrounding):
    """Lets only those call a method who have its right."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def surround(self, method: str, handler: _Handler) -> _Handler:
        """Returns what takes the place of a handler."""
        inner: _Behaviour = handler.unary_unary

        def behaviour(request: Any, context: grpc.ServicerContext) -> Any:
            caller.check_call(self._rules, method)
            return inner(request, context)

        return _instead(handler, behaviour)


def _message(read: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return read(data)
    except DecodeError as error:
        raise Failure(
            grpc.StatusCode.INVALID_ARGUMENT, "the request is not a message of this method"
        ) from error
