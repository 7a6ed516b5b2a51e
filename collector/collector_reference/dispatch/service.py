"""The RPCs of `collector.CollectiveDispatcher`.

The decisions are in `routing`; here they are carried out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any as Anything
from typing import cast

import grpc.aio
from google.protobuf.any_pb2 import Any

from collector_reference.dispatch import routing
from collector_reference.dispatch.connections import Connections
from collector_reference.dispatch.handlers import HandlerContext, HandlerTable
from collector_reference.dispatch.peers import Peer, PeerFailed
from collector_reference.dispatch.routing import Failure
from collector_reference.errors import NotRegistered, PeerUnreachable, RegistryUnavailable
from collector_reference.settings import CollectorSettings
from collector_reference.status import CanonicalStatus
from collector_reference.validation.validators import CachedValidator, RegistryValidator
from collector_reference.wire import dispatcher_pb2_grpc
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import (
    ConnectRequest,
    ConnectResponse,
    DispatchRequest,
    DispatchResponse,
    ServeRequest,
    ServeResponse,
)

__all__ = ["DispatcherService"]

_LOG = logging.getLogger(__name__)
_OK = Status(code=Status.HTTP_OK, message="OK")
_NOTHING: Mapping[str, str] = {}

# What crosses a hop of the caller's metadata (PROTOCOL.md, section 2).
_CORRELATION = frozenset({"traceparent", "tracestate", "x-correlation-id"})

Context = grpc.aio.ServicerContext[Anything, Anything]
Outcome = tuple[Any | None, Failure | None]
"""The output and None, or None and what went wrong."""


class DispatcherService(dispatcher_pb2_grpc.CollectiveDispatcherServicer):
    """Executes, connects and routes."""

    def __init__(
        self, settings: CollectorSettings, *, handlers: HandlerTable, connections: Connections
    ) -> None:
        self._id = settings.collector_id
        self._forward_limit = settings.forward_limit.total_seconds()
        self._connect_limit = settings.connect_limit
        self._handlers = handlers
        self._connections = connections
        self._validator: RegistryValidator | None = None
        self._cache: CachedValidator | None = None

    @property
    def validator(self) -> RegistryValidator | None:
        """Who is asked before a method is executed; None to ask nobody (SRV-006)."""
        return self._validator

    @validator.setter
    def validator(self, validator: RegistryValidator | None) -> None:
        self._validator = validator
        self._cache = validator if isinstance(validator, CachedValidator) else None

    async def Serve(  # noqa: N802 - the RPC's name
        self, request: ServeRequest, context: Context
    ) -> ServeResponse:
        """Executes a method here, and never anywhere else (LOOP-008)."""
        namespace, service, method = (
            request.namespace,
            request.service.service_name,
            request.method_name,
        )
        failure = routing.incomplete(namespace, service, method, request.service.namespace)
        output: Any | None = None
        if failure is None:
            output, failure = await self._execute(
                namespace,
                service,
                method,
                request.input if request.HasField("input") else None,
                request.execution_context,
                context,
            )
        return ServeResponse(
            status=_OK if failure is None else _status(failure),
            output=output,
            executor_id=self._id,
        )

    async def Connect(  # noqa: N802
        self, request: ConnectRequest, _context: Context
    ) -> ConnectResponse:
        """Joins a peer that asks."""
        return self._connections.accept(request)

    async def Dispatch(  # noqa: N802
        self, request: DispatchRequest, context: Context
    ) -> DispatchResponse:
        """Routes a call to the collector that executes it (DSP-001 to DSP-016)."""
        namespace, service, method, target = (
            request.namespace,
            request.service.service_name,
            request.method_name,
            request.target_collector_id,
        )
        failure = routing.incomplete(namespace, service, method, request.service.namespace)
        if failure is not None:
            return _answer(failure)
        peer = self._connections.by_id(target) if target else None
        choice = routing.choose(
            namespace=namespace,
            target=target,
            own_id=self._id,
            has_handler=self._handlers.find(namespace, service, method) is not None,
            target_namespaces=None if peer is None else peer.shared,
        )
        match choice:
            case routing.Local():
                output, failure = await self._execute(
                    namespace,
                    service,
                    method,
                    request.input if request.HasField("input") else None,
                    _NOTHING,
                    context,
                )
                return DispatchResponse(
                    status=_OK if failure is None else _status(failure),
                    output=output,
                    handled_by_collector_id=self._id,
                )
            case routing.Refused():
                return _answer(choice.failure)
            case routing.Target():
                assert peer is not None
                return await self._forward_to_target(peer, request, context)
            case routing.Peers():
                return await self._forward_to_any(request, context)

    async def _execute(
        self,
        namespace: str,
        service: str,
        method: str,
        payload: Any | None,
        execution_context: Mapping[str, str],
        context: Context,
    ) -> Outcome:
        if self._validator is not None and not (
            self._cache is not None and self._cache.knows(namespace, service, method)
        ):
            failure = await self._validate(namespace, service, method, context)
            if failure is not None:
                return None, failure
        handler = self._handlers.find(namespace, service, method)
        if handler is None:
            return None, self._no_handler(namespace, service, method)
        output, error = await self._handlers.run(
            handler,
            payload,
            HandlerContext(self._id, namespace, service, method, execution_context, context),
        )
        if error is not None:
            return None, Failure(routing.INTERNAL, f"handler error: {error}")
        return output, None

    async def _validate(
        self, namespace: str, service: str, method: str, context: Context
    ) -> Failure | None:
        assert self._validator is not None
        seconds = _time_left(context)
        try:
            await self._validator.validate_service_method(
                namespace,
                service,
                method,
                time_left=None if seconds is None else timedelta(seconds=seconds),
            )
        except NotRegistered as error:
            reason = str(error) or f"{namespace}/{service}.{method}"
            return Failure(routing.NOT_FOUND, f"service not registered in registry: {reason}")
        except RegistryUnavailable as error:
            return Failure(routing.UNAVAILABLE, f"the registry cannot be asked: {error}")
        except Exception:  # noqa: BLE001 - the validator is anybody's code, and fails closed
            _LOG.exception("the validator failed")
            return Failure(routing.UNAVAILABLE, "the registry cannot be asked: internal error")
        return None

    def _no_handler(self, namespace: str, service: str, method: str) -> Failure:
        if not self._handlers.has_namespace(namespace):
            return Failure(routing.NOT_FOUND, f"namespace '{namespace}' not found")
        return Failure(
            routing.NOT_FOUND, f"method '{service}.{method}' not found in namespace '{namespace}'"
        )

    # Forwarding

    async def _forward_to_target(
        self, peer: Peer, request: DispatchRequest, context: Context
    ) -> DispatchResponse:
        try:
            response = await peer.serve(
                _serve_request(request),
                seconds=self._seconds(context),
                connect_limit=self._connect_limit,
                metadata=_correlation(context),
            )
        except PeerUnreachable:
            return _answer(routing.unreachable_target(peer.collector_id), peer.collector_id)
        except PeerFailed as error:
            return _answer(_failure_of(peer, error), peer.collector_id)
        return _relayed(response, peer.collector_id)

    async def _forward_to_any(self, request: DispatchRequest, context: Context) -> DispatchResponse:
        namespace = request.namespace
        forwarded = _serve_request(request)
        metadata = _correlation(context)
        clock = asyncio.get_running_loop().time
        end = clock() + self._seconds(context)
        for peer in self._connections.candidates(namespace):
            seconds = end - clock()
            if seconds <= 0:
                return _answer(
                    Failure(Status.HTTP_GATEWAY_TIMEOUT, "no collector answered in time")
                )
            try:
                response = await peer.serve(
                    forwarded,
                    seconds=seconds,
                    connect_limit=self._connect_limit,
                    metadata=metadata,
                )
            except PeerUnreachable:
                continue
            except PeerFailed as error:
                if error.status in (CanonicalStatus.NOT_FOUND, CanonicalStatus.UNIMPLEMENTED):
                    continue
                return _answer(_failure_of(peer, error), peer.collector_id)
            if routing.after_answer(response.status.code) is routing.Next.SKIP:
                continue
            return _relayed(response, response.executor_id or peer.collector_id)
        return _answer(routing.no_candidate(namespace))

    def _seconds(self, context: Context) -> float:
        remaining = _time_left(context)
        return self._forward_limit if remaining is None else remaining


def _time_left(context: Context) -> float | None:
    # The stubs leave out that a call may have no deadline.
    return cast("float | None", context.time_remaining())


def _status(failure: Failure) -> Status:
    # The enum is open: a number without a name is a number like any other.
    return Status(code=failure.code, message=failure.message)  # type: ignore[arg-type]


def _answer(failure: Failure, handled_by: str = "") -> DispatchResponse:
    return DispatchResponse(status=_status(failure), handled_by_collector_id=handled_by)


def _relayed(response: ServeResponse, handled_by: str) -> DispatchResponse:
    return DispatchResponse(
        status=response.status,
        output=response.output if response.HasField("output") else None,
        handled_by_collector_id=handled_by,
    )


def _serve_request(request: DispatchRequest) -> ServeRequest:
    return ServeRequest(
        namespace=request.namespace,
        service=request.service,
        method_name=request.method_name,
        input=request.input if request.HasField("input") else None,
    )


def _failure_of(peer: Peer, error: PeerFailed) -> Failure:
    code = error.status.http_like or routing.INTERNAL
    name = peer.collector_id or peer.address
    return Failure(code, f"the call to collector '{name}' failed: {error}")


def _correlation(context: Context) -> tuple[tuple[str, str | bytes], ...]:
    return tuple(
        (key, value) for key, value in context.invocation_metadata() or () if key in _CORRELATION
    )
