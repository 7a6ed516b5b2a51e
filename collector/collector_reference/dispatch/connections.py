"""The connections of a collector: who is let in, who is asked, and what is shared with whom.

One entry per peer: the newest address that it was heard of at (CON-005, CON-013). Keeping up what
was made is in `keeping`, telling peers of changes in `telling`.
"""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import grpc.aio

from collector_reference.addresses import is_peer_address, parse_listen
from collector_reference.channels import dial, why_unreachable
from collector_reference.dispatch.breaker import Breaker
from collector_reference.dispatch.checkpoints import Checkpoint, PeerRecord
from collector_reference.dispatch.dialects import Dialect, split_dialect
from collector_reference.dispatch.discovery import follow
from collector_reference.dispatch.health_checks import HealthChecks
from collector_reference.dispatch.keeping import Keeping, connect_until_done
from collector_reference.dispatch.peers import Connection, Peer
from collector_reference.dispatch.routing import shared
from collector_reference.dispatch.table import Key, PeerTable, key_of
from collector_reference.dispatch.telling import Telling
from collector_reference.errors import PeerRefused, PeerUnreachable
from collector_reference.settings import CollectorSettings
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ConnectRequest, ConnectResponse

if TYPE_CHECKING:
    from collector_reference.security.outgoing import Outgoing

__all__ = ["Connections"]

_LONGEST_SELF = 64 * 1024
"""Characters that a peer may tell of itself: its id, its address and its namespaces are kept."""


class Connections:
    """The peers of one collector. Lives on the collector's loop."""

    def __init__(self, settings: CollectorSettings, *, outgoing: Outgoing | None = None) -> None:
        """`outgoing` is what its channels carry, None for plaintext without a token."""
        self._settings = settings
        self._outgoing = outgoing
        self._own = tuple(dict.fromkeys(settings.namespaces))
        self._addresses: tuple[str, ...] = ()
        self._names: dict[str, str] = {}
        """By which name an address was found: it is what its certificate has to carry."""
        self._table = PeerTable(settings.routing.balancing)
        self._background: set[asyncio.Task[None]] = set()
        self._retired: set[grpc.aio.Channel] = set()
        self._closed = False
        self._telling = Telling(
            self._table,
            ask=self._ask,
            agreed=lambda key, peer, response: self._put(
                key, peer, self._shared_after(peer, response)
            ),
            spawn=self._spawn,
        )
        self._keeping = Keeping(
            self._table,
            ask=self._ask,
            agreed=self._store_outbound,
            retire=self._retire,
            spawn=self._spawn,
        )
        self._leaving = False

    def open(self, addresses: tuple[str, ...]) -> None:
        """Begins to connect to the peers of the settings. `addresses` are the collector's own,
        first the one that it advertises.
        """
        self._addresses = addresses
        for address in self._settings.connect:
            self._spawn(connect_until_done(address, self.connect_to))
        routing = self._settings.routing
        for name in routing.discover:
            host = parse_listen(split_dialect(name)[1]).host
            self._spawn(
                follow(
                    name,
                    every=routing.discover_interval,
                    connect=functools.partial(self._found, host),
                )
            )
        if routing.health_check is not None:
            checks = HealthChecks(routing.health_check, self._table, back=self.doubt)
            self._spawn(checks.run())

    def _found(self, host: str, address: str) -> asyncio.Task[None]:
        self._names[split_dialect(address)[1]] = host
        return self._spawn(connect_until_done(address, self.connect_to))

    # What is connected

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that this collector shares with its peers now."""
        return self._own

    def snapshot(self) -> tuple[Connection, ...]:
        """Returns every connection as it is now."""
        return tuple(peer.snapshot() for peer in self._table)

    def by_id(self, collector_id: str) -> Peer | None:
        """Returns the connected peer of that id, or None."""
        return self._table.get(("id", collector_id))

    def candidates(self, namespace: str) -> Iterator[Peer]:
        """Yields the peers that share the namespace, in the order in which to try them."""
        return self._table.candidates(namespace)

    def candidates_for(self, namespace: str, hint: str) -> Iterator[Peer]:
        """The same in the order that rendezvous hashing of the hint gives."""
        return self._table.candidates(namespace, hint)

    # Connecting

    def accept(self, request: ConnectRequest, *, keeps: bool = False) -> ConnectResponse:
        """Answers a peer that asks to connect (CON-001 to CON-013); `keeps` is whether it says that
        it asks again when the connection is lost.
        """
        address = request.address
        if not address:
            return _refusal(Status.HTTP_BAD_REQUEST, "address is required")
        if not is_peer_address(address):
            return _refusal(
                Status.HTTP_BAD_REQUEST,
                f"address '{address}' is neither host:port nor a gRPC target",
            )
        told = (request.collector_id, address, *request.namespaces)
        if sum(map(len, told)) > _LONGEST_SELF:
            return _refusal(
                Status.HTTP_BAD_REQUEST,
                f"id, address and namespaces have more than {_LONGEST_SELF} characters",
            )
        response = ConnectResponse(
            status=Status(code=Status.HTTP_OK, message="OK"),
            connection_id=uuid.uuid4().hex,
            shared_namespaces=shared(request.namespaces, frozenset(self._own)),
            target_collector_id=self._settings.collector_id,
        )
        if self._is_self(request.collector_id, address):
            return response
        key = key_of(request.collector_id, address)
        peer = before = self._table.get(key)
        if peer is None or peer.address != address:
            if peer is None and not self._make_room():
                return _refusal(
                    Status.HTTP_TOO_MANY_REQUESTS,
                    f"the connection table holds its limit of {self._settings.max_connections}",
                )
            peer = self._peer_at(address, like=before)
        peer.collector_id = request.collector_id
        peer.connection_id = response.connection_id
        peer.offered = tuple(dict.fromkeys(request.namespaces))
        peer.heard += 1
        peer.keeps = keeps
        peer.is_back()
        self._put(key, peer, tuple(response.shared_namespaces))
        if peer.kept:
            self._keeping.keep_up(peer)
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
        peer = Peer(
            address=address,
            channel=self._dial(address),
            kept=True,
            chosen=None if namespaces is None else tuple(namespaces),
            dialect=dialect or self._settings.dialect,
            advertised=advertise,
            breaker=self._breaker(),
        )
        end = asyncio.get_running_loop().time() + self._settings.connect_limit.total_seconds()
        try:
            response = await self._ask(peer)
            stored = self._store_outbound(peer, response)
        except BaseException as error:
            await peer.channel.close()
            if isinstance(error, PeerUnreachable):
                seconds = end - asyncio.get_running_loop().time()
                reason = await why_unreachable(
                    address,
                    outgoing=self._outgoing,
                    name=self._names.get(address),
                    seconds=seconds,
                )
                if reason is not None:
                    raise PeerUnreachable(address, reason) from error
            raise
        if not stored:
            await peer.channel.close()
        return response

    async def set_namespaces(self, namespaces: Iterable[str]) -> None:
        """Shares these with its peers from now on, and tells all of them.

        Nothing is routed in a namespace that is not shared any more from the moment of the call
        (ISO-002). Returns when everybody who can be reached has been told; the others are told as
        soon as they can be.
        """
        own = tuple(dict.fromkeys(namespaces))
        gone = frozenset(self._own) - frozenset(own)
        self._own = own
        for key, peer in self._table.items():
            if peer.chosen is not None:
                peer.chosen = tuple(name for name in peer.chosen if name not in gone)
            if peer.offered is None:
                left = tuple(name for name in peer.shared if name not in gone)
            else:
                left = shared(peer.offered, frozenset(self._told(peer)))
            self._put(key, peer, left)
        if not self._closed:
            await self._telling.everybody()

    def doubt(self, peer: Peer) -> None:
        """Has a peer told anew that was away although its connection is up: behind a proxy the
        connection outlives it, and started anew it knows nothing of this side (CON-014).
        """
        if peer.kept and peer.is_ready() and not self._closed:
            self._telling.anew(peer)

    async def _ask(self, peer: Peer) -> ConnectResponse:
        return await peer.ask_to_connect(
            self._settings.collector_id,
            peer.advertised or self._addresses[0],
            self._told(peer),
            limit=self._settings.connect_limit,
        )

    async def leave(self) -> None:
        """Tells the peers that nothing is shared any more, so that none chooses this collector.

        Only those whose connection is made again when it is back, by one side or the other: who
        would believe for ever that nothing is shared is not told, and finds out by itself
        (CON-014). What this collector itself routes to them is as before: calls that it has
        accepted may still go there.
        """
        self._leaving = True
        told = [peer for peer in self._table if peer.is_ready() and (peer.kept or peer.keeps)]
        await asyncio.gather(*map(self._ask, told), return_exceptions=True)

    def _told(self, peer: Peer) -> tuple[str, ...]:
        """Returns the namespaces that the peer is told."""
        if self._leaving:
            return ()
        return self._own if peer.chosen is None else peer.chosen

    def _shared_after(self, peer: Peer, response: ConnectResponse) -> tuple[str, ...]:
        return shared(response.shared_namespaces, frozenset(self._told(peer)))

    def _store_outbound(self, peer: Peer, response: ConnectResponse) -> bool:
        """Returns whether the peer is in the table now: a collector is no peer of itself."""
        if self._closed or self._is_self(response.target_collector_id, peer.address):
            return False
        key = key_of(response.target_collector_id, peer.address)
        if self._table.get(key) is None and not self._make_room():
            raise PeerRefused(peer.address, None, "this collector's own connection table is full")
        peer.collector_id = response.target_collector_id
        peer.connection_id = response.connection_id
        peer.is_back()
        self._put(key, peer, self._shared_after(peer, response))
        self._keeping.keep_up(peer)
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
            name=self._names.get(address),
        )

    def _breaker(self) -> Breaker | None:
        settings = self._settings.routing.breaker
        if settings is None:
            return None
        return Breaker(settings, asyncio.get_running_loop().time)

    def _peer_at(self, address: str, *, like: Peer | None) -> Peer:
        """Returns a new peer, kept up as the one was whose place it takes."""
        peer = Peer(
            address=address,
            channel=self._dial(address),
            dialect=self._settings.dialect,
            breaker=self._breaker(),
        )
        if like is not None and like.kept:
            peer.kept, peer.chosen = True, like.chosen
            peer.dialect, peer.advertised = like.dialect, like.advertised
        return peer

    # The table

    def _put(self, key: Key, peer: Peer, shared_now: tuple[str, ...]) -> None:
        before = self._table.put(key, peer, shared_now)
        if before is not None:
            self._retire(before)

    def _make_room(self) -> bool:
        """Returns whether there is room for one more; only a dead peer is evicted for it."""
        if len(self._table) < self._settings.max_connections:
            return True
        dead = self._table.first_dead()
        if dead is None:
            return False
        self._retire(self._table.remove(dead))
        return True

    def forget(self, collector_id: str) -> None:
        """Drops the peer of that id, which is gone for good, once it is idle."""
        if self.by_id(collector_id) is not None:
            self._retire(self._table.remove(("id", collector_id)))

    def _retire(self, peer: Peer) -> None:
        self._keeping.let_go(peer)
        self._retired.add(peer.channel)
        self._spawn(self._close_when_idle(peer.channel))

    async def _close_when_idle(self, channel: grpc.aio.Channel) -> None:
        # Calls that are on their way may still come back.
        await channel.close(self._settings.forward_limit.total_seconds())
        self._retired.discard(channel)

    # Inside

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    # Back to a checkpoint, and the end

    def checkpoint(self) -> object:
        """Returns the present connections, as a value that `restore` takes."""
        return Checkpoint(
            own=self._own, peers={key: PeerRecord.of(peer) for key, peer in self._table.items()}
        )

    def restore(self, checkpoint: object) -> None:
        """Drops the connections made since, and makes those anew that were lost since."""
        assert isinstance(checkpoint, Checkpoint)
        self._own = checkpoint.own
        for key in set(self._table.keys()) - set(checkpoint.peers):
            self._retire(self._table.remove(key))
        for key, kept in checkpoint.peers.items():
            peer = self._table.get(key)
            if peer is None or peer.address != kept.address:
                peer = kept.peer(self._dial(kept.address), self._breaker())
                peer.begin_connecting()
            kept.write_to(peer)
            self._put(key, peer, kept.shared)
            if peer.kept:
                self._keeping.keep_up(peer)

    async def close(self) -> None:
        """Drops every connection at once."""
        self._closed = True
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        channels = [*(peer.channel for peer in self._table), *self._retired]
        self._table.clear()
        self._keeping.clear()
        await asyncio.gather(
            *tasks, *(channel.close() for channel in channels), return_exceptions=True
        )


def _refusal(code: Status.Code.ValueType, message: str) -> ConnectResponse:
    return ConnectResponse(status=Status(code=code, message=message))
