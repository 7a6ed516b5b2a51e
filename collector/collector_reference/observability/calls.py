"""What every call on the port came to, told to whoever wants to know: the log, the metrics, the
span of the call.

Only a collector that is asked to observe has this in the way of its calls.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import grpc
import grpc.aio

from collector_reference.behaviours import Context
from collector_reference.behaviours import RpcHandler as Handler
from collector_reference.loopback_health import LOOK
from collector_reference.observability.correlation import Calling, carry, correlation_id
from collector_reference.status import from_grpc, from_status_code
from collector_reference.validation.interceptor import LOOPBACK_HEADER

__all__ = ["Call", "CallObserver", "Headers", "Sink"]

_MAX_KEPT = 1_000

Headers: TypeAlias = tuple[tuple[str, str | bytes], ...]


class Call(NamedTuple):
    """A call that has ended."""

    rpc: str
    """Its full path, such as `/collector.CollectiveDispatcher/Serve`."""
    namespace: str
    """What the request names; empty where it names none. So are the next two."""
    service: str
    method: str
    correlation_id: str
    """Brought by the caller, or made up."""
    loopback: bool
    """Whether the collector itself called."""
    handled_by: str
    """The collector that executed, as the answer says; this one where the answer says nothing."""
    status: str
    """The canonical name of what it came to, whichever layer told it."""
    layer: str
    """`grpc` where the call itself failed, else `answer`."""
    seconds: float
    """From the whole request to the answer, or to the last one of a stream."""
    known: bool
    """Whether there is such a method on the port."""


class Sink(Protocol):
    """Takes calls as they end. Quick, and raises nothing."""

    def __call__(self, call: Call) -> None:
        """Takes note of the call."""


class CallObserver(grpc.aio.ServerInterceptor):
    """Measures every call and tells its sinks, refused ones and the loopback's included; not the
    collector's own looks at its port's health, which nobody made.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        collector_id: str,
        loopback_token: str,
        headers: Callable[[Headers], Headers] = lambda received: received,
        calling: Calling | None = None,
    ) -> None:
        """`headers` turns the headers that go on with a call into those that name its span, and
        `calling` makes the spans of calls that it causes.
        """
        self._sinks = tuple(sinks)
        self._id = collector_id
        self._own_header = (LOOPBACK_HEADER, loopback_token)
        self._headers = headers
        self._calling = calling
        self._observed: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Returns the method's handler, observed."""
        handler = await continuation(handler_call_details)
        path: str = handler_call_details.method
        if handler is None:
            found, _ = correlation_id(handler_call_details.invocation_metadata or ())
            self._tell(_Ended(path, found, loopback=False), None, None, "UNIMPLEMENTED", 0.0)
            return None
        known = self._observed.get(path)
        if known is None or known[0] is not handler:
            if len(self._observed) >= _MAX_KEPT:
                self._observed.clear()
            known = self._observed[path] = (handler, self._around(handler, path))
        return known[1]

    def _around(self, handler: Handler, path: str) -> Handler:
        kind = (
            f"{'stream' if handler.request_streaming else 'unary'}"
            f"_{'stream' if handler.response_streaming else 'unary'}"
        )
        inner: Any = getattr(handler, kind)
        clock = time.perf_counter

        async def unary(request: Any, context: Context) -> Any:
            begun = clock()
            ended = self._begin(path, context)
            try:
                answer = inner(request, context)
                response = await answer if inspect.isawaitable(answer) else answer
            except BaseException as error:
                self._tell(ended, request, None, _failure(error, context), clock() - begun)
                raise
            self._tell(ended, request, response, _code_set(context), clock() - begun)
            return response

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            begun = clock()
            ended = self._begin(path, context)
            try:
                answer = inner(request, context)
                if inspect.isawaitable(answer):
                    await answer
                else:
                    async for message in answer:
                        yield message
            except BaseException as error:
                self._tell(ended, None, None, _failure(error, context), clock() - begun)
                raise
            self._tell(ended, None, None, _code_set(context), clock() - begun)

        made: Handler = getattr(grpc, f"{kind}_rpc_method_handler")(
            stream if handler.response_streaming else unary,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return made

    def _begin(self, path: str, context: Context) -> _Ended:
        metadata = context.invocation_metadata() or ()
        found, headers = correlation_id(metadata)
        carry(self._headers(headers), self._calling)
        pairs = [tuple(pair) for pair in metadata]
        own = self._own_header in pairs
        return _Ended(path, found, loopback=own, look=own and LOOK in pairs)

    def _tell(
        self, ended: _Ended, request: Any, response: Any, grpc_status: str, seconds: float
    ) -> None:
        if ended.look:
            return
        namespace, service, method = _named(request)
        status, layer = grpc_status, "grpc"
        if grpc_status == "OK" and response is not None:
            status, layer = _answered(response)
        handled_by = (
            getattr(response, "handled_by_collector_id", None)
            or getattr(response, "executor_id", None)
            or self._id
        )
        call = Call(
            rpc=ended.path,
            namespace=namespace,
            service=service,
            method=method,
            correlation_id=ended.correlation_id,
            loopback=ended.loopback,
            handled_by=handled_by,
            status=status,
            layer=layer,
            seconds=seconds,
            known=ended.path in self._observed and grpc_status != "UNIMPLEMENTED",
        )
        for sink in self._sinks:
            sink(call)


class _Ended:
    """What is known of a call before it has run."""

    __slots__ = ("correlation_id", "look", "loopback", "path")

    def __init__(self, path: str, found: str, *, loopback: bool, look: bool = False) -> None:
        self.path = path
        self.correlation_id = found
        self.loopback = loopback
        self.look = look


def _named(request: Any) -> tuple[str, str, str]:
    """Returns the namespace, service and method that a request names, by its fields."""
    reference = getattr(request, "service", None)
    if reference is not None and hasattr(reference, "service_name"):
        return request.namespace, reference.service_name, request.method_name
    namespace = getattr(request, "namespace", "")
    descriptor = getattr(request, "service_descriptor", None)
    if descriptor is not None:
        return namespace, descriptor.name, ""
    return namespace, getattr(request, "service_name", ""), getattr(request, "method_name", "")


def _answered(response: Any) -> tuple[str, str]:
    status = getattr(response, "status", None)
    code = getattr(status, "code", None)
    if code is None:
        return "OK", "answer"
    named = from_status_code(code)
    return (str(code) if named is None else named.value), "answer"


def _code_set(context: Context) -> str:
    """Returns the name of the status that a handler set without raising; OK mostly."""
    code: Any = context.code()
    if code is None or code == 0:
        return "OK"
    return code.name if isinstance(code, grpc.StatusCode) else from_grpc(int(code)).value


def _failure(error: BaseException, context: Context) -> str:
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        remaining: float | None = context.time_remaining()
        late = remaining is not None and remaining <= 0
        return "DEADLINE_EXCEEDED" if late else "CANCELLED"
    found = _code_set(context)
    return "UNKNOWN" if found == "OK" else found
