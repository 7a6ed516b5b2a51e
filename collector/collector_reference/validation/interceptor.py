"""The guard of the port: every RPC passes here first, unary or streaming.

It asks the local store directly, because asking over gRPC would come back here.
It also counts, and refuses while the collector drains.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio

from collector_reference.behaviours import around
from collector_reference.registry.store import RegistryStore
from collector_reference.security.withholding import answer_internal, fitting

__all__ = ["LOOPBACK_HEADER", "NOT_RUN", "PortGuard"]

LOOPBACK_HEADER = "x-collector-loopback"
"""The metadata by which a draining collector still lets its own loopback in."""

NOT_RUN = ("x-collector-not-run", "true")
"""The trailing metadata by which a draining collector proves that a call may be made elsewhere."""

_MAX_COUNTED = 10_000

# Generic in its stubs only.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def _refusal(
    code: grpc.StatusCode, text: str, trailers: tuple[tuple[str, str], ...] = ()
) -> Handler:
    async def refuse(_requests: object, context: grpc.aio.ServicerContext[Any, Any]) -> NoReturn:
        await context.abort(code, text, trailers)

    # Streaming on both sides, so that it ends a call of any kind without reading from it.
    return grpc.stream_stream_rpc_method_handler(refuse)


_DRAINING = _refusal(
    grpc.StatusCode.UNAVAILABLE, "the collector is shutting down", trailers=(NOT_RUN,)
)


class PortGuard(grpc.aio.ServerInterceptor):
    """Lets an RPC through when its method is registered in the system namespace (VAL-005)."""

    def __init__(
        self, store: RegistryStore, *, system_namespace: str, guarding: bool, loopback_token: str
    ) -> None:
        """`guarding` False counts only. `loopback_token` is this collector's secret."""
        self._store = store
        self._system_namespace = system_namespace
        self._guarding = guarding
        self._own_header = (LOOPBACK_HEADER, loopback_token)
        self._open: set[str] = set()
        self._handlers: dict[str, tuple[Handler, Handler]] = {}
        self._generation = -1
        self.draining = False
        """Whether every RPC but the collector's own is refused with UNAVAILABLE (OPS-003)."""
        self.counts: dict[str, int] = {}
        """How often each method was called, by its full path."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Returns the method's handler, or one that refuses; None where there is no handler."""
        path: str = handler_call_details.method
        counts = self.counts
        if path in counts:
            counts[path] += 1
        elif len(counts) < _MAX_COUNTED:
            counts[path] = 1
        if self.draining and not self._is_own(handler_call_details):
            return _DRAINING
        if self._guarding and not self._is_open(path):
            return _refusal(
                grpc.StatusCode.UNIMPLEMENTED,
                fitting(f"method {path} is not registered in namespace '{self._system_namespace}'"),
            )
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        known = self._handlers.get(path)
        if known is None or known[0] is not handler:
            known = self._handlers[path] = (handler, around(handler, on_error=answer_internal))
        return known[1]

    def uncount(self, path: str) -> None:
        """Takes back one call of the path from the counts: the collector's own look at its port."""
        count = self.counts.get(path, 0)
        if count > 1:
            self.counts[path] = count - 1
        else:
            self.counts.pop(path, None)

    def _is_open(self, path: str) -> bool:
        if self._generation != self._store.generation:
            self._open.clear()
            self._generation = self._store.generation
        if path in self._open:
            return True
        service, _, method = path.removeprefix("/").rpartition("/")
        if not self._store.has_method(self._system_namespace, service, method):
            return False
        self._open.add(path)
        return True

    def _is_own(self, details: grpc.HandlerCallDetails) -> bool:
        return self._own_header in (tuple(pair) for pair in details.invocation_metadata or ())
