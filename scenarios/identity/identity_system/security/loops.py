"""The interceptors of grpc.aio: authentication and authorization, of a server and of a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from identity_system.security import caller
from identity_system.security.caller import Principal, Rules
from shared_system import errand
from shared_system.failures import Failure, trailer

__all__ = ["Authentication", "Authorization", "ClientAuthentication", "ClientAuthorization"]

_Context = grpc.aio.ServicerContext[Any, Any]
_Behaviour = Callable[[Any, _Context], Awaitable[Any]]


class _Surrounding(grpc.aio.ServerInterceptor):
    """Surrounds the unary methods of a server; the streams of health and reflection pass as they
    are.
    """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Returns what takes the place of a handler."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        surrounded = self.surround(str(handler_call_details.method), handler.unary_unary)

        async def behaviour(request: Any, context: _Context) -> Any:
            try:
                return await surrounded(request, context)
            except Failure as failure:
                await context.abort(failure.code, failure.message, trailer(failure))

        return grpc.unary_unary_rpc_method_handler(
            behaviour,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def surround(self, method: str, inner: _Behaviour) -> _Behaviour:
        """Returns what is done around a method. A `Failure` in it ends the call by its code."""
        raise NotImplementedError


class Authentication(_Surrounding):
    """Finds out who calls, and has the calls that this causes carry the same token. `verify`
    returns whose token it is, or raises `Failure`.
    """

    def __init__(self, rules: Rules, verify: Callable[[str], Awaitable[Principal]]) -> None:
        self._rules = rules
        self._verify = verify

    def surround(self, method: str, inner: _Behaviour) -> _Behaviour:
        """Returns what is done around a method."""

        async def behaviour(request: Any, context: _Context) -> Any:
            # Asking who calls is part of the errand already.
            _begin(context)
            principal, token = None, ""
            if caller.required(self._rules, method) != caller.ANYBODY:
                token = caller.bearer_of(context.invocation_metadata() or ())
                principal = await self._verify(token)
            with caller.acting(principal), caller.offering(token):
                return await inner(request, context)

        return behaviour


class Authorization(_Surrounding):
    """Lets only those call a method who have its right."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def surround(self, method: str, inner: _Behaviour) -> _Behaviour:
        """Returns what is done around a method."""

        async def behaviour(request: Any, context: _Context) -> Any:
            caller.check_call(self._rules, method)
            return await inner(request, context)

        return behaviour


class ClientAuthentication(grpc.aio.UnaryUnaryClientInterceptor):
    """Shows the token of whom a call is made for."""

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Adds the token to a call, unless there is none."""
        details = client_call_details
        if token := caller.offered_token():
            metadata = grpc.aio.Metadata(*(details.metadata or ()))
            metadata[caller.AUTHORIZATION] = f"Bearer {token}"
            details = grpc.aio.ClientCallDetails(
                details.method,
                details.timeout,
                metadata,
                details.credentials,
                details.wait_for_ready,
            )
        return await continuation(details, request)


class ClientAuthorization(grpc.aio.UnaryUnaryClientInterceptor):
    """Does not make a call that asks for a token while there is none: the answer is known."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Makes a call, or raises gRPC's error UNAUTHENTICATED in its place."""
        method: Any = client_call_details.method
        path = method.decode() if isinstance(method, bytes) else method
        rule = caller.required(self._rules, path)
        if rule != caller.ANYBODY and not caller.offered_token():
            failure = caller.unauthenticated("a token is required")
            raise grpc.aio.AioRpcError(
                failure.code,
                grpc.aio.Metadata(),
                grpc.aio.Metadata(*trailer(failure)),
                details=failure.message,
            )
        return await continuation(client_call_details, request)


def _begin(context: _Context) -> None:
    """Begins the errand of a call: its id and what is left of its deadline."""
    received = dict(context.invocation_metadata() or ())
    offered = received.get(errand.CORRELATION_HEADER)
    errand.begin(offered if isinstance(offered, str) else None, context.time_remaining())
