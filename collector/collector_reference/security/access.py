"""The second guard of the port, for a collector that asks who calls: every RPC that is not open
is let through only for a caller who is proven and may (SEC-002).

What a token, a certificate or a rule means is in `tokens`, `identity` and `authorization`.
"""

from __future__ import annotations

import contextvars
import hmac
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import grpc
import grpc.aio

from collector_reference.behaviours import Context, RpcHandler, around
from collector_reference.descriptors import ADMIN, DISPATCHER, REGISTRY
from collector_reference.security.authorization import Access, Policy, allows
from collector_reference.security.identity import ANONYMOUS, Caller, of_certificate
from collector_reference.security.reloading import Reloaded
from collector_reference.security.tokens import TokenVerifier, Unauthenticated, bearer
from collector_reference.validation.interceptor import LOOPBACK_HEADER

__all__ = ["AccessGuard"]

_LOG = logging.getLogger(__name__)
_LONGEST_NAME = 100

Wanted = Callable[[Any], tuple[Access, ...]]


class _Denied(Exception):
    """The text is for the wire."""


_proven: contextvars.ContextVar[Caller | None] = contextvars.ContextVar("proven_by_token")
"""Who the token of the present call proves. gRPC runs interceptor and handler in one task."""
_is_own: contextvars.ContextVar[bool] = contextvars.ContextVar("is_own_loopback")


class AccessGuard(grpc.aio.ServerInterceptor):
    """Asks who calls, and whether they may."""

    def __init__(
        self,
        *,
        verifier: TokenVerifier | None,
        certificates: bool,
        policy: Reloaded[Policy] | None,
        system_namespace: str,
        loopback_token: str,
        open_services: Iterable[str],
        asks_by_registering: bool = False,
    ) -> None:
        """`certificates` is whether callers show one (mTLS); `loopback_token` this collector's
        secret; `open_services` what everybody may call; `asks_by_registering` whether this
        collector asks its registry by the register probe.
        """
        self._verifier = verifier
        self._certificates = certificates
        self._policy = policy
        self._system = system_namespace
        self._loopback_token = loopback_token
        self._open = frozenset(open_services)
        self._asks_by_registering = asks_by_registering
        self._binds_ids = verifier is not None or certificates
        self._guarded: dict[str, tuple[RpcHandler, RpcHandler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[RpcHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> RpcHandler | None:
        """Returns the method's handler behind the checks, or one that refuses the caller."""
        handler = await continuation(handler_call_details)
        path: str = handler_call_details.method
        service, _, method = path.removeprefix("/").rpartition("/")
        if handler is None or service in self._open:
            return handler
        pairs = [(key, value) for key, value in handler_call_details.invocation_metadata or ()]
        own = any(
            key == LOOPBACK_HEADER
            and isinstance(value, str)
            and value.isascii()
            # In a time that tells a stranger nothing of the secret.
            and hmac.compare_digest(value, self._loopback_token)
            for key, value in pairs
        )
        proven: Caller | None = None
        if self._verifier is not None:
            try:
                # Before a byte of the request is read.
                proven = self._verifier.verify(bearer(pairs))
            except Unauthenticated as error:
                # A collector without a token of its own is still itself.
                if not (own and not any(key == "authorization" for key, _ in pairs)):
                    _LOG.info("refused a call of %s: %s", path, error)
                    return _refusal(grpc.StatusCode.UNAUTHENTICATED, str(error))
        _proven.set(proven)
        _is_own.set(own)
        known = self._guarded.get(path)
        if known is None or known[0] is not handler:
            known = (handler, self._behind(handler, service, method))
            self._guarded[path] = known
        return known[1]

    def _behind(self, handler: RpcHandler, service: str, method: str) -> RpcHandler:
        """Returns the handler with the checks before it."""
        wanted = _WANTED.get((service, method))
        is_connect = (service, method) == (DISPATCHER, "Connect")
        otherwise = "administer" if service == ADMIN else "call"

        async def admit(request: Any, context: Context) -> None:
            try:
                caller = self._caller(context)
                if is_connect:
                    self._check_id(request.collector_id, caller)
                accesses = (
                    (Access(action=otherwise, service=service, method=method),)
                    if wanted is None
                    else wanted(request)
                )
                self._check(accesses, caller)
            except _Denied as error:
                _LOG.info("refused a call of /%s/%s: %s", service, method, error)
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))

        return around(handler, before=admit)

    def _caller(self, context: Context) -> Caller:
        proven = _proven.get(None)
        if proven is not None:
            return proven
        if self._certificates:
            authentication: Mapping[str, Iterable[bytes]] = context.auth_context()
            return of_certificate(authentication)
        return ANONYMOUS

    def _check_id(self, collector_id: str, caller: Caller) -> None:
        if not self._binds_ids:
            return
        if not collector_id:
            raise _Denied("a collector that connects here must give its id")
        if collector_id not in caller.collector_ids:
            raise _Denied(
                f"whoever calls has not proven to be collector {_quoted(collector_id)}: neither "
                "by token nor by certificate"
            )

    def _check(self, accesses: tuple[Access, ...], caller: Caller) -> None:
        # The collector itself asks its registry and looks at its services. It writes directly, and
        # over the port only where that is how it asks; never into the system namespace.
        if _is_own.get(False) and all(
            each.action != "register"
            or (self._asks_by_registering and each.namespace != self._system)
            for each in accesses
        ):
            return
        policy = None if self._policy is None else self._policy.current()
        for access in accesses:
            if not allows(policy, caller, access, system=self._system):
                who = _quoted(caller.subject) if caller.subject else "a caller without a name"
                raise _Denied(f"{who} may not {_shortened(str(access))}")


def _called(request: Any, action: str) -> tuple[Access, ...]:
    return (
        Access(
            action=action,
            namespace=request.namespace,
            service=request.service.service_name,
            method=request.method_name,
        ),
    )


def _joined(request: Any) -> tuple[Access, ...]:
    namespaces = tuple(dict.fromkeys(request.namespaces))
    return tuple(Access(action="connect", namespace=each) for each in namespaces) or (
        Access(action="connect"),
    )


_WANTED: Mapping[tuple[str, str], Wanted] = {
    (DISPATCHER, "Dispatch"): lambda request: _called(request, "dispatch"),
    (DISPATCHER, "Serve"): lambda request: _called(request, "serve"),
    (DISPATCHER, "Connect"): _joined,
    (REGISTRY, "RegisterService"): lambda request: (
        Access(
            action="register",
            namespace=request.namespace,
            service=request.service_descriptor.name,
        ),
    ),
    (REGISTRY, "RegisterProto"): lambda request: (
        Access(
            action="register", namespace=request.namespace, service=request.file_descriptor.name
        ),
    ),
    (REGISTRY, "LookupService"): lambda request: (
        Access(action="read", namespace=request.namespace, service=request.service_name),
    ),
    (REGISTRY, "ValidateMethod"): lambda request: (
        Access(
            action="read",
            namespace=request.namespace,
            service=request.service_name,
            method=request.method_name,
        ),
    ),
    (REGISTRY, "ListServices"): lambda request: (
        Access(action="read", namespace=request.namespace),
    ),
}
"""What a request of these RPCs wants; any other is `call`."""


def _refusal(code: grpc.StatusCode, text: str) -> RpcHandler:
    async def refuse(_requests: object, context: Context) -> None:
        await context.abort(code, text)

    # Streaming on both sides, so that it ends a call of any kind without reading from it.
    return grpc.stream_stream_rpc_method_handler(refuse)


def _quoted(name: str) -> str:
    return f"'{_shortened(name)}'"


def _shortened(text: str) -> str:
    # gRPC sends messages in headers, which are small.
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}..."
