"""One peer: the channel to it, whether it can be reached, and calls to its Serve.

Which peers there are, and which of them gets a call, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import grpc
import grpc.aio

from collector_reference.dispatch.breaker import Breaker, BreakerSnapshot, Health
from collector_reference.dispatch.dialects import Dialect
from collector_reference.errors import PeerRefused, PeerUnreachable
from collector_reference.observability.correlation import Metadata, calling
from collector_reference.status import CanonicalStatus, from_grpc, from_status_code
from collector_reference.validation.interceptor import NOT_RUN
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import (
    ConnectRequest,
    ConnectResponse,
    ServeRequest,
    ServeResponse,
)
from collector_reference.wire.dispatcher_pb2_grpc import CollectiveDispatcherStub

__all__ = ["Connection", "Peer", "PeerFailed"]

CONNECT = "/collector.CollectiveDispatcher/Connect"
KEEPS = ("x-collector-keeps-connection", "true")
"""The metadata of a Connect whose sender asks again when the connection is lost."""
SERVE = "/collector.CollectiveDispatcher/Serve"

# gRPC says this of a call that found no connection to be sent on.
_NOTHING_SENT = "failed to connect to all addresses"

_NOT_LET_IN = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_UNAVAILABLE = Status.HTTP_SERVICE_UNAVAILABLE

_READY = grpc.ChannelConnectivity.READY
_DEAD = (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """A connection as it was when it was asked for."""

    connection_id: str
    collector_id: str
    """The peer's; empty for a peer that gave none (CON-008)."""
    address: str
    """Where the peer is dialled."""
    shared_namespaces: tuple[str, ...]
    established: bool
    """Whether a call could be sent at that moment."""
    serving: bool = True
    """False for a peer that says, or shows by its silence, that it does not serve; it gets no
    call by automatic routing. Always True where peers are not asked."""
    pending: int = 0
    """How many calls were on their way to it."""
    breaker: BreakerSnapshot | None = None
    """The breaker of its calls; None where there are none."""


class PeerFailed(Exception):
    """A call may have run at the peer, and failed below the dispatcher."""

    def __init__(self, status: CanonicalStatus, details: str) -> None:
        self.status = status
        self.details = details
        super().__init__(f"{status}: {details}")


class Peer:
    """A peer and the channel to it. The record may change, the address and the channel do not."""

    __slots__ = (
        "_stub",
        "address",
        "advertised",
        "breaker",
        "channel",
        "chosen",
        "collector_id",
        "connection_id",
        "dialect",
        "heard",
        "keeps",
        "kept",
        "offered",
        "pending",
        "serving",
        "shared",
        "telling",
    )

    def __init__(
        self,
        *,
        address: str,
        channel: grpc.aio.Channel,
        kept: bool = False,
        chosen: tuple[str, ...] | None = None,
        dialect: Dialect = Dialect.NATIVE,
        advertised: str | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self.address = address
        self.channel = channel
        self.collector_id = ""
        self.connection_id = ""
        self.shared: tuple[str, ...] = ()
        """The namespaces of both sides, as far as this side knows."""
        self.kept = kept
        """Whether this side asked for the connection, and asks again when it is lost."""
        self.chosen = chosen
        """The namespaces that it is told; None for all that this collector has."""
        self.dialect = dialect
        self.advertised = advertised
        """The address that it is told to dial back, where that is not the collector's own."""
        self.offered: tuple[str, ...] | None = None
        """The namespaces that it told when it asked for the connection; None while it did not."""
        self.heard = 0
        """How often it asked."""
        self.keeps = False
        """Whether it has said that it asks again when the connection is lost."""
        self.serving = True
        self.pending = 0
        self.breaker = breaker
        self.telling = asyncio.Lock()
        """Held while it is asked to connect, so that it hears of changes in their order."""
        self._stub = CollectiveDispatcherStub(channel)

    def snapshot(self) -> Connection:
        """Returns what is known of the connection now."""
        return Connection(
            connection_id=self.connection_id,
            collector_id=self.collector_id,
            address=self.address,
            shared_namespaces=self.shared,
            established=self.is_ready(),
            serving=self.serving,
            pending=self.pending,
            breaker=None if self.breaker is None else self.breaker.snapshot(),
        )

    def is_back(self) -> None:
        """Takes note that it has just asked for the connection, or agreed to it."""
        self.serving = True
        if self.breaker is not None:
            self.breaker.close()

    def is_ready(self) -> bool:
        """Whether a call could be sent now."""
        return self.channel.get_state() is _READY

    def is_dead(self) -> bool:
        """Whether the last try to connect failed."""
        return self.channel.get_state() in _DEAD

    def begin_connecting(self) -> None:
        """Opens the connection in the background."""
        self.channel.get_state(try_to_connect=True)

    async def reach(self, seconds: float) -> None:
        """Returns once a call can be sent; raises `PeerUnreachable` when that is refused or takes
        longer.
        """
        state = self.channel.get_state(try_to_connect=True)
        if state is _READY:
            return
        try:
            async with asyncio.timeout(seconds):
                while state is not _READY:
                    if state in _DEAD:
                        raise PeerUnreachable(self.address, "the connection was refused or lost")
                    await self.channel.wait_for_state_change(state)
                    state = self.channel.get_state(try_to_connect=True)
        except TimeoutError as error:
            raise PeerUnreachable(self.address, f"no connection in {seconds:g} s") from error

    async def serve(
        self,
        request: ServeRequest,
        *,
        seconds: float,
        limited: bool,
        connect_limit: timedelta,
        metadata: Metadata,
    ) -> ServeResponse:
        """Returns what the peer's Serve answers within `seconds`.

        `limited` is whether these are this collector's own limit, not what a caller left. Raises
        `PeerUnreachable` when nothing was sent, also because the breaker is open; else
        `PeerFailed`, also for an answer without a status (WIR-003).
        """
        breaker = self.breaker
        if breaker is None:
            self.pending += 1
            try:
                return await self._serve(request, seconds, connect_limit, metadata)
            finally:
                self.pending -= 1
        permit = breaker.admit()
        if permit is None:
            raise PeerUnreachable(self.address, "its breaker is open")
        health = Health.UNKNOWN
        self.pending += 1
        try:
            response = await self._serve(request, seconds, connect_limit, metadata)
            health = Health.ILL if response.status.code == _UNAVAILABLE else Health.WELL
            return response
        except PeerUnreachable:
            # A caller in a hurry proves nothing by giving up early.
            if self.is_dead() or _reach_limit(seconds, connect_limit) == connect_limit:
                health = Health.ILL
            raise
        except PeerFailed as error:
            health = _health_after(error.status, limited=limited)
            raise
        finally:
            self.pending -= 1
            breaker.after(permit, health)

    async def _serve(
        self,
        request: ServeRequest,
        seconds: float,
        connect_limit: timedelta,
        metadata: Metadata,
    ) -> ServeResponse:
        with calling(SERVE, metadata, peer=self.collector_id or self.address) as headers:
            if not self.is_ready():
                await self.reach(_reach_limit(seconds, connect_limit).total_seconds())
            return await self._answered(request, seconds, headers)

    async def _answered(
        self, request: ServeRequest, seconds: float, metadata: Metadata
    ) -> ServeResponse:
        try:
            response = await self._stub.Serve(request, timeout=seconds, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            details = error.details() or ""
            if error.code() is grpc.StatusCode.UNAVAILABLE and _NOTHING_SENT in details:
                raise PeerUnreachable(self.address, "the connection was refused") from error
            if NOT_RUN in (tuple(pair) for pair in error.trailing_metadata() or ()):
                raise PeerUnreachable(self.address, "it is shutting down") from error
            raise PeerFailed(from_grpc(error.code().value[0]), details) from error
        if not response.HasField("status"):
            raise PeerFailed(CanonicalStatus.INTERNAL, "it answered without a status")
        return response

    async def ask_to_connect(
        self, collector_id: str, address: str, namespaces: tuple[str, ...], *, limit: timedelta
    ) -> ConnectResponse:
        """Returns the peer's consent; raises `PeerUnreachable` or `PeerRefused`."""
        await self.reach(limit.total_seconds())
        request = ConnectRequest(collector_id=collector_id, address=address, namespaces=namespaces)
        try:
            response = await self._connect(request, limit)
        except grpc.aio.AioRpcError as error:
            reason = f"{error.code().name}: {error.details()}"
            if error.code() in _NOT_LET_IN:
                number = from_grpc(error.code().value[0]).http_like
                raise PeerRefused(self.address, number, reason) from error
            raise PeerUnreachable(self.address, reason) from error
        if not response.HasField("status"):
            raise PeerRefused(self.address, None, "it answered without a status")
        status: Status = response.status
        if from_status_code(status.code) is not CanonicalStatus.OK:
            raise PeerRefused(self.address, status.code, f"{status.code} {status.message}")
        return response

    async def _connect(self, request: ConnectRequest, limit: timedelta) -> ConnectResponse:
        rpc: grpc.aio.UnaryUnaryMultiCallable[ConnectRequest, ConnectResponse] = (
            self.channel.unary_unary(
                CONNECT,
                request_serializer=self.dialect.write,
                response_deserializer=ConnectResponse.FromString,
            )
        )
        return await rpc(request, timeout=limit.total_seconds(), metadata=(KEEPS,))

    async def closed(self) -> None:
        """Waits until the connection, which is up, is down."""
        while self.channel.get_state() is _READY:
            await self.channel.wait_for_state_change(_READY)


def _reach_limit(seconds: float, connect_limit: timedelta) -> timedelta:
    # Less than the whole time, so that the failure can still be told within the deadline.
    return min(connect_limit, timedelta(seconds=seconds * 0.8))


def _health_after(status: CanonicalStatus, *, limited: bool) -> Health:
    match status:
        case CanonicalStatus.UNAVAILABLE:
            return Health.ILL
        case CanonicalStatus.DEADLINE_EXCEEDED:
            return Health.ILL if limited else Health.UNKNOWN
        case CanonicalStatus.CANCELLED:
            return Health.UNKNOWN
        case _:
            return Health.WELL
