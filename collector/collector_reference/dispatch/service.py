"""The RPCs of `collector.CollectiveDispatcher`.

The decisions are in `routing`; here they are carried out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any as Anything
from typing import cast

import grpc.aio
from google.protobuf.any_pb2 import Any

from collector_reference.dispatch import routing
from collector_reference.dispatch.backoff import pauses
from collector_reference.dispatch.connections import Connections
from collector_reference.dispatch.handlers import HandlerContext, HandlerTable
from collector_reference.dispatch.peers import KEEPS, Peer, PeerFailed
from collector_reference.dispatch.routing import Failure
from collector_reference.dispatch.tuning import Balancing
from collector_reference.errors import (
    HandlerFailed,
    NotRegistered,
    PeerUnreachable,
    RegistryUnavailable,
)
from collector_reference.observability.correlation import onward
from collector_reference.security.withholding import for_the_wire
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

_EXECUTED = "executed"
"""In the details of a status whose number says that nothing ran: something did."""

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
        routing_settings = settings.routing
        self._hop = routing_settings.hop.total_seconds()
        self._retry = routing_settings.retry
        self._hint = (
            routing_settings.hint if routing_settings.balancing is Balancing.RENDEZVOUS else ""
        )
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
        self, request: ConnectRequest, context: Context
    ) -> ConnectResponse:
        """Joins a peer that asks."""
        keeps = KEEPS in (tuple(pair) for pair in context.invocation_metadata() or ())
        return self._connections.accept(request, keeps=keeps)

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
            if isinstance(error, HandlerFailed):
                return None, Failure(error.code, str(error), executed=error.executed)
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
            return Failure(
                routing.UNAVAILABLE, f"the registry cannot be asked: {for_the_wire(str(error))}"
            )
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
        forwarded = _serve_request(request)
        metadata = _correlation(context)
        clock = asyncio.get_running_loop().time
        seconds, limited = self._budget(context)
        end = clock() + seconds
        waits = self._waits()
        while True:
            try:
                response = await peer.serve(
                    forwarded,
                    seconds=seconds,
                    limited=limited,
                    connect_limit=self._connect_limit,
                    metadata=metadata,
                )
            except PeerUnreachable:
                if not await _waited(waits, end):
                    return _answer(routing.unreachable_target(peer.collector_id), peer.collector_id)
            except PeerFailed as error:
                return self._failed(peer, error)
            else:
                return _relayed(response, peer.collector_id)
            # It may have come back elsewhere, or share less.
            now = self._connections.by_id(peer.collector_id)
            if now is not None and request.namespace in now.shared:
                peer = now
            seconds = end - clock()

    async def _forward_to_any(self, request: DispatchRequest, context: Context) -> DispatchResponse:
        namespace = request.namespace
        forwarded = _serve_request(request)
        metadata = _correlation(context)
        clock = asyncio.get_running_loop().time
        seconds, limited = self._budget(context)
        end = clock() + seconds
        waits = self._waits()
        asked: set[Peer] = set()
        """Those who answered that they have no such method."""
        while True:
            unreachable = False
            for peer in self._candidates(request):
                if peer in asked:
                    continue
                seconds = end - clock()
                if seconds <= 0:
                    return _answer(
                        Failure(Status.HTTP_GATEWAY_TIMEOUT, "no collector answered in time")
                    )
                try:
                    response = await peer.serve(
                        forwarded,
                        seconds=seconds,
                        limited=limited,
                        connect_limit=self._connect_limit,
                        metadata=metadata,
                    )
                except PeerUnreachable:
                    unreachable = True
                    continue
                except PeerFailed as error:
                    if error.status in (CanonicalStatus.NOT_FOUND, CanonicalStatus.UNIMPLEMENTED):
                        asked.add(peer)
                        continue
                    return self._failed(peer, error)
                executed = _EXECUTED in response.status.details
                after = routing.after_answer(response.status.code, executed=executed)
                if after is routing.Next.SKIP:
                    asked.add(peer)
                    continue
                return _relayed(response, response.executor_id or peer.collector_id)
            if not unreachable or not await _waited(waits, end):
                return _answer(routing.no_candidate(namespace))

    def _failed(self, peer: Peer, error: PeerFailed) -> DispatchResponse:
        if error.status is CanonicalStatus.UNAVAILABLE:
            self._connections.doubt(peer)
        return _answer(_failure_of(peer, error), peer.collector_id)

    def _candidates(self, request: DispatchRequest) -> Iterator[Peer]:
        hint = request.routing_hints.get(self._hint, "") if self._hint else ""
        if hint:
            return self._connections.candidates_for(request.namespace, hint)
        return self._connections.candidates(request.namespace)

    def _budget(self, context: Context) -> tuple[float, bool]:
        """Returns the seconds for a call that is passed on, and whether its caller set none."""
        remaining = _time_left(context)
        seconds = routing.budget(remaining, limit=self._forward_limit, hop=self._hop)
        return seconds, remaining is None

    def _waits(self) -> Iterator[float]:
        """Returns the pauses before further attempts of a call that ran nowhere."""
        retry = self._retry
        if retry is None:
            return iter(())
        return islice(pauses(retry.first_pause, retry.longest_pause), retry.attempts - 1)


async def _waited(waits: Iterator[float], end: float) -> bool:
    """Makes the next pause; returns False at once where there is none, or no time for it."""
    pause = next(waits, None)
    if pause is None or asyncio.get_running_loop().time() + pause >= end:
        return False
    await asyncio.sleep(pause)
    return True


def _time_left(context: Context) -> float | None:
    # The stubs leave out that a call may have no deadline.
    return cast("float | None", context.time_remaining())


def _status(failure: Failure) -> Status:
    # The enum is open: a number without a name is a number like any other.
    return Status(
        code=failure.code,  # type: ignore[arg-type]
        message=failure.message,
        details={_EXECUTED: "true"} if failure.executed else None,
    )


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
    return Failure(code, f"the call to collector '{name}' failed: {for_the_wire(str(error))}")


def _correlation(context: Context) -> tuple[tuple[str, str | bytes], ...]:
    return onward(context.invocation_metadata() or ())
