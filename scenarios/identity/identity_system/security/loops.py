"""The interceptors of grpc.aio: authentication and authorization, of a server and of a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from identity_system.security import caller
from identity_system.security.caller import Principal, Rules
from shared_system import errand
from shared_system.failures import FAILURE_TRAILER, Failure

__all__ = ["Authentication", "Authorization", "ClientAuthentication", "ClientAuthorization"]

_Context = grpc.aio.ServicerContext[Any, Any]


class Authentication(grpc.aio.ServerInterceptor):
    """Finds out who calls, and has the calls that this causes carry the same token. `verify`
    returns whose token it is, or raises `Failure`.
    """

    def __init__(self, rules: Rules, verify: Callable[[str], Awaitable[Principal]]) -> None:
        self._rules = rules
        self._verify = verify

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Returns what takes the place of a handler."""
        method = str(handler_call_details.method)

        async def before(context: _Context) -> tuple[Principal | None, str]:
            if caller.required(self._rules, method) == caller.ANYBODY:
                return None, ""
            token = caller.bearer_of(context.invocation_metadata() or ())
            return await self._verify(token), token

        def around(inner: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def behaviour(request: Any, context: _Context) -> Any:
                # Asking who calls is part of the errand already.
                _begin(context)
                try:
                    principal, token = await before(context)
                except Failure as failure:
                    return await _refuse(context, failure)
                with caller.acting(principal), caller.offering(token):
                    return await inner(request, context)

            return behaviour

        return _instead(await continuation(handler_call_details), around)


class Authorization(grpc.aio.ServerInterceptor):
    """Lets only those call a method who have its right."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Returns what takes the place of a handler."""
        method = str(handler_call_details.method)

        def around(inner: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def behaviour(request: Any, context: _Context) -> Any:
                try:
                    rule = caller.required(self._rules, method)
                    if rule != caller.ANYBODY:
                        caller.check_rights(rule, caller.current())
                except Failure as failure:
                    return await _refuse(context, failure)
                return await inner(request, context)

            return behaviour

        return _instead(await continuation(handler_call_details), around)


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
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.UNAUTHENTICATED,
                grpc.aio.Metadata(),
                grpc.aio.Metadata((FAILURE_TRAILER, "final")),
                details="a token is required",
            )
        return await continuation(client_call_details, request)


def _begin(context: _Context) -> None:
    """Begins the errand of a call: its id and what is left of its deadline."""
    received = dict(context.invocation_metadata() or ())
    offered = received.get(errand.CORRELATION_HEADER)
    errand.begin(offered if isinstance(offered, str) else None, context.time_remaining())


async def _refuse(context: _Context, failure: Failure) -> None:
    kind = "passing" if failure.passing else "final"
    await context.abort(failure.code, failure.message, ((FAILURE_TRAILER, kind),))


def _instead(
    handler: Any, around: Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]
) -> Any:
    """Returns a handler around a unary one. Streams of health and reflection pass as they are."""
    if handler is None or handler.unary_unary is None:
        return handler
    return grpc.unary_unary_rpc_method_handler(
        around(handler.unary_unary),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
