"""The dispatcher: serves calls here, and routes them to the peer that can."""

from __future__ import annotations

from typing import Any

from grpclib_collector import contract
from grpclib_collector.calls import NotSent
from grpclib_collector.connections import Connections, Peer
from grpclib_collector.handlers import Call, Handlers
from grpclib_collector.validation import RegistryUnreachable, Validator

__all__ = ["Dispatcher"]

FORWARD_SECONDS = 5.0
"""How long a forwarded call may take when the caller sets no limit."""
VALIDATION_SECONDS = 5.0
_CORRELATION = ("traceparent", "tracestate", "x-correlation-id")


class Dispatcher:
    """The RPCs of `collector.CollectiveDispatcher`."""

    def __init__(
        self,
        collector_id: str,
        handlers: Handlers,
        connections: Connections,
        validator: Validator | None,
    ) -> None:
        self._collector_id = collector_id
        self._handlers = handlers
        self._connections = connections
        self._validator = validator

    async def Connect(self, request: Any, _stream: Any) -> Any:
        return self._connections.accept(request)

    async def Serve(self, request: Any, stream: Any) -> Any:
        missing = _missing(request)
        if missing:
            return _served(400, missing)
        return await self._serve(request, _call_of(stream))

    async def Dispatch(self, request: Any, stream: Any) -> Any:
        missing = _missing(request)
        if missing:
            return _dispatched(_served(400, missing))
        call = _call_of(stream)
        if request.target_collector_id:
            return await self._to_target(request, call)
        return await self._to_any(request, call)

    async def _serve(self, request: Any, call: Call) -> Any:
        names = request.namespace, request.service.service_name, request.method_name
        if self._validator is not None:
            seconds = VALIDATION_SECONDS
            if call.seconds is not None:
                seconds = min(seconds, call.seconds)
            try:
                valid = await self._validator.is_valid(*names, seconds=seconds)
            except RegistryUnreachable as error:
                return _served(503, f"the registry cannot be asked: {error}")
            if not valid:
                text = "service not registered in registry: {}/{}.{}".format(*names)
                return _served(404, text)
        return await self._handlers.run(request, call)

    async def _to_target(self, request: Any, call: Call) -> Any:
        target = request.target_collector_id
        if target == self._collector_id:
            return _dispatched(await self._serve(_serve_request(request), call), target)
        peer = self._connections.get(target)
        if peer is None:
            return _dispatched(_served(404, f"no connection to collector '{target}'"), target)
        if request.namespace not in peer.shared:
            text = f"namespace '{request.namespace}' is not shared with collector '{target}'"
            return _dispatched(_served(404, text), target)
        try:
            response = await _forward(peer, request, call)
        except NotSent as error:
            response = _served(503, str(error))
        return _dispatched(response, target)

    async def _to_any(self, request: Any, call: Call) -> Any:
        names = request.namespace, request.service.service_name, request.method_name
        if self._handlers.has(*names):
            return _dispatched(await self._serve(_serve_request(request), call))
        for peer in self._connections.sharing(request.namespace):
            try:
                response = await _forward(peer, request, call)
            except NotSent:
                continue
            # A peer that does not have the method is passed over; one that has it and
            # failed has run it, and it must not run twice.
            if response.status.code not in (404, 501):
                return _dispatched(response, response.executor_id or peer.collector_id)
        return _dispatched(_served(404, f"no collector found for namespace '{request.namespace}'"))


async def _forward(peer: Peer, request: Any, call: Call) -> Any:
    seconds = FORWARD_SECONDS if call.seconds is None else max(call.seconds, 0.001)
    metadata = [(name, value) for name in _CORRELATION for value in call.metadata.getall(name, ())]
    return await peer.serve(_serve_request(request), seconds=seconds, metadata=metadata)


def _serve_request(request: Any) -> Any:
    served = contract.ServeRequest(
        namespace=request.namespace, service=request.service, method_name=request.method_name
    )
    if request.HasField("input"):
        served.input.CopyFrom(request.input)
    return served


def _missing(request: Any) -> str:
    """Returns why a request is no request, or nothing."""
    if not request.namespace:
        return "namespace is required"
    if not request.service.service_name:
        return "service is required"
    if not request.method_name:
        return "method_name is required"
    if request.service.namespace not in ("", request.namespace):
        return "service.namespace contradicts namespace"
    return ""


def _served(code: int, message: str) -> Any:
    return contract.ServeResponse(status=contract.Status(code=code, message=message))


def _dispatched(served: Any, handled_by: str | None = None) -> Any:
    response = contract.DispatchResponse(
        status=served.status,
        handled_by_collector_id=served.executor_id if handled_by is None else handled_by,
    )
    if served.HasField("output"):
        response.output.CopyFrom(served.output)
    return response


def _call_of(stream: Any) -> Call:
    seconds = stream.deadline.time_remaining() if stream.deadline is not None else None
    return Call(seconds=seconds, metadata=stream.metadata)
