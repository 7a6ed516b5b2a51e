"""The connection table: which peers there are, and keeping them connected.

One entry per peer: the newest address that it was heard of at (CON-005, CON-013).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import uuid
from collections import defaultdict
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc.aio

from collector_reference.addresses import is_peer_address
from collector_reference.channels import dial
from collector_reference.dispatch.dialects import Dialect, split_dialect
from collector_reference.dispatch.peers import Connection, Peer
from collector_reference.dispatch.routing import rotated, shared
from collector_reference.errors import PeerError, PeerRefused
from collector_reference.settings import CollectorSettings
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ConnectRequest, ConnectResponse

if TYPE_CHECKING:
    from collector_reference.security.outgoing import Outgoing

__all__ = ["Connections"]

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0

# Peers without an id must never be found by one, not even by a made-up one (CON-008): so the two
# kinds have keys of their own.
Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """What a checkpoint keeps of a peer."""

    connection_id: str
    collector_id: str
    address: str
    shared: tuple[str, ...]
    announced: tuple[str, ...] | None
    dialect: Dialect
    advertised: str | None


class Connections:
    """The peers of one collector. Lives on the collector's loop."""

    def __init__(self, settings: CollectorSettings, *, outgoing: Outgoing | None = None) -> None:
        """`outgoing` is what its channels carry, None for plaintext without a token."""
        self._settings = settings
        self._outgoing = outgoing
        self._own = frozenset(settings.namespaces)
        self._addresses: tuple[str, ...] = ()
        self._peers: dict[Key, Peer] = {}
        self._sharing: dict[str, dict[Peer, None]] = {}
        self._in_order: dict[str, tuple[Peer, ...]] = {}
        self._turns: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
        self._keepers: dict[Peer, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._retired: set[grpc.aio.Channel] = set()
        self._closed = False

    def open(self, addresses: tuple[str, ...]) -> None:
        """Begins to connect to the peers of the settings. `addresses` are the collector's own,
        first the one that it advertises.
        """
        self._addresses = addresses
        for address in self._settings.connect:
            self._spawn(self._connect_until_done(address))

    # What is connected

    def snapshot(self) -> tuple[Connection, ...]:
        """Returns every connection as it is now."""
        return tuple(peer.snapshot() for peer in self._peers.values())

    def by_id(self, collector_id: str) -> Peer | None:
        """Returns the connected peer of that id, or None."""
        return self._peers.get(("id", collector_id))

    def candidates(self, namespace: str) -> Iterator[Peer]:
        """Yields the peers that share the namespace, in turn; those that would first have to be
        connected again come last (DSP-015).
        """
        peers = self._in_order.get(namespace)
        if peers is None:
            # A copy, because the table may change while the caller waits for a peer.
            peers = self._in_order[namespace] = tuple(self._sharing.get(namespace, ()))
        if not peers:
            return
        later: list[Peer] = []
        for peer in rotated(peers, next(self._turns[namespace])):
            if peer.is_ready():
                yield peer
            else:
                later.append(peer)
        yield from later

    # Connecting

    def accept(self, request: ConnectRequest) -> ConnectResponse:
        """Answers a peer that asks to connect (CON-001 to CON-013)."""
        address = request.address
        if not address:
            return _refusal(Status.HTTP_BAD_REQUEST, "address is required")
        if not is_peer_address(address):
            return _refusal(
                Status.HTTP_BAD_REQUEST,
                f"address '{address}' is neither host:port nor a gRPC target",
            )
        response = ConnectResponse(
            status=Status(code=Status.HTTP_OK, message="OK"),
            connection_id=uuid.uuid4().hex,
            shared_namespaces=shared(request.namespaces, self._own),
            target_collector_id=self._settings.collector_id,
        )
        if self._is_self(request.collector_id, address):
            return response
        key = _key(request.collector_id, address)
        peer = self._peers.get(key)
        if peer is None or peer.address != address:
            if peer is None and not self._make_room():
                return _refusal(
                    Status.HTTP_TOO_MANY_REQUESTS,
                    f"the connection table holds its limit of {self._settings.max_connections}",
                )
            peer = Peer(address=address, channel=self._dial(address))
        peer.collector_id = request.collector_id
        peer.connection_id = response.connection_id
        self._put(key, peer, tuple(response.shared_namespaces))
        peer.begin_connecting()
        return response

    async def connect_to(
        self,
        address: str,
        namespaces: Sequence[str] | None = None,
        *,
        dialect: Dialect | None = None,
        advertise: str | None = None,
    ) -> ConnectResponse:
        """Asks the collector at the address to connect, and keeps the connection up.

        `namespaces` are what it is told, `advertise` where it dials back, and `dialect` how it is
        told; the collector's own when None. Raises `PeerUnreachable` or `PeerRefused`; then
        nothing has changed.
        """
        announced = tuple(self._settings.namespaces if namespaces is None else namespaces)
        peer = Peer(
            address=address,
            channel=self._dial(address),
            announced=announced,
            dialect=dialect or self._settings.dialect,
            advertised=advertise,
        )
        try:
            response = await self._ask(peer)
            stored = self._store_outbound(peer, response)
        except BaseException:
            await peer.channel.close()
            raise
        if not stored:
            await peer.channel.close()
        return response

    async def _ask(self, peer: Peer) -> ConnectResponse:
        return await peer.ask_to_connect(
            self._settings.collector_id,
            peer.advertised or self._addresses[0],
            peer.announced or (),
            limit=self._settings.connect_limit,
        )

    def _store_outbound(self, peer: Peer, response: ConnectResponse) -> bool:
        """Returns whether the peer is in the table now: a collector is no peer of itself."""
        if self._closed or self._is_self(response.target_collector_id, peer.address):
            return False
        key = _key(response.target_collector_id, peer.address)
        if key not in self._peers and not self._make_room():
            raise PeerRefused(peer.address, None, "this collector's own connection table is full")
        peer.collector_id = response.target_collector_id
        peer.connection_id = response.connection_id
        self._put(key, peer, shared(response.shared_namespaces, frozenset(peer.announced or ())))
        if peer not in self._keepers:
            self._keepers[peer] = self._spawn(self._keep(peer))
        return True

    def _is_self(self, collector_id: str, address: str) -> bool:
        if collector_id:
            return collector_id == self._settings.collector_id
        return address in self._addresses

    def _dial(self, address: str) -> grpc.aio.Channel:
        return dial(
            address,
            max_message_bytes=self._settings.max_message_bytes,
            outgoing=self._outgoing,
        )

    # The table

    def _put(self, key: Key, peer: Peer, shared_now: tuple[str, ...]) -> None:
        before = self._peers.get(key)
        if before is not None:
            self._unindex(before)
            if before is not peer:
                self._retire(before)
        self._peers[key] = peer
        peer.shared = shared_now
        for namespace in shared_now:
            self._sharing.setdefault(namespace, {})[peer] = None
            self._in_order.pop(namespace, None)

    def _remove(self, key: Key) -> Peer:
        peer = self._peers.pop(key)
        self._unindex(peer)
        return peer

    def _unindex(self, peer: Peer) -> None:
        for namespace in peer.shared:
            self._sharing.get(namespace, {}).pop(peer, None)
            self._in_order.pop(namespace, None)

    def _make_room(self) -> bool:
        """Returns whether there is room for one more; only a dead peer is evicted for it."""
        if len(self._peers) < self._settings.max_connections:
            return True
        dead = next((key for key, peer in self._peers.items() if peer.is_dead()), None)
        if dead is None:
            return False
        self._retire(self._remove(dead))
        return True

    def _retire(self, peer: Peer) -> None:
        keeper = self._keepers.pop(peer, None)
        if keeper is not None and keeper is not asyncio.current_task():
            keeper.cancel()
        self._retired.add(peer.channel)
        self._spawn(self._close_when_idle(peer.channel))

    async def _close_when_idle(self, channel: grpc.aio.Channel) -> None:
        # Calls that are on their way may still come back.
        await channel.close(self._settings.forward_limit.total_seconds())
        self._retired.discard(channel)

    # Keeping connected

    async def _connect_until_done(self, address: str) -> None:
        dialect, address = split_dialect(address)
        for pause in _pauses():
            try:
                await self.connect_to(address, dialect=dialect)
            except PeerError as error:
                _LOG.info("%s; trying again", error)
                await asyncio.sleep(pause)
            else:
                return

    async def _keep(self, peer: Peer) -> None:
        """Asks again whenever the connection was lost: the peer may have been started anew, and
        then knows nothing of this side (CON-014).
        """
        while self._keepers.get(peer) is asyncio.current_task():
            await peer.closed()
            _LOG.info("the connection to '%s' at %s is lost", peer.collector_id, peer.address)
            before = _key(peer.collector_id, peer.address)
            for pause in _pauses():
                try:
                    response = await self._ask(peer)
                    if self._peers.get(before) is not peer:
                        return
                    if _key(response.target_collector_id, peer.address) != before:
                        # Another collector answers there now.
                        self._remove(before)
                    if not self._store_outbound(peer, response):
                        self._retire(peer)
                        return
                except PeerError:
                    await asyncio.sleep(pause)
                else:
                    break

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    # Back to a checkpoint, and the end

    def checkpoint(self) -> object:
        """Returns the present connections, as a value that `restore` takes."""
        return {
            key: _Kept(
                connection_id=peer.connection_id,
                collector_id=peer.collector_id,
                address=peer.address,
                shared=peer.shared,
                announced=peer.announced,
                dialect=peer.dialect,
                advertised=peer.advertised,
            )
            for key, peer in self._peers.items()
        }

    def restore(self, checkpoint: object) -> None:
        """Drops the connections made since, and makes those anew that were lost since."""
        assert isinstance(checkpoint, dict)
        for key in [key for key in self._peers if key not in checkpoint]:
            self._retire(self._remove(key))
        for key, kept in checkpoint.items():
            peer = self._peers.get(key)
            if peer is None or peer.address != kept.address:
                peer = Peer(
                    address=kept.address,
                    channel=self._dial(kept.address),
                    announced=kept.announced,
                    dialect=kept.dialect,
                    advertised=kept.advertised,
                )
                peer.begin_connecting()
            peer.collector_id = kept.collector_id
            peer.connection_id = kept.connection_id
            self._put(key, peer, kept.shared)
            if peer.announced is not None and peer not in self._keepers:
                self._keepers[peer] = self._spawn(self._keep(peer))

    async def close(self) -> None:
        """Drops every connection at once."""
        self._closed = True
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        channels = [*(peer.channel for peer in self._peers.values()), *self._retired]
        self._peers.clear()
        self._sharing.clear()
        self._in_order.clear()
        self._keepers.clear()
        await asyncio.gather(
            *tasks, *(channel.close() for channel in channels), return_exceptions=True
        )


def _key(collector_id: str, address: str) -> Key:
    return ("id", collector_id) if collector_id else ("address", address)


def _refusal(code: Status.Code.ValueType, message: str) -> ConnectResponse:
    return ConnectResponse(status=Status(code=code, message=message))


def _pauses() -> Iterator[float]:
    """Yields growing pauses with jitter, in seconds, without end."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(pause * 2, _LONGEST_PAUSE)
