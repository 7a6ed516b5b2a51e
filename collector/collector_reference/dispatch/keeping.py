"""Keeping connected: asking a peer until it agrees, and again whenever the connection was lost.

Whom to ask, and what an answer means for the table, is the connections' business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Protocol

from collector_reference.dispatch.backoff import pauses
from collector_reference.dispatch.dialects import Dialect, split_dialect
from collector_reference.dispatch.peers import Peer
from collector_reference.dispatch.table import PeerTable, key_of
from collector_reference.errors import PeerError
from collector_reference.wire.dispatcher_pb2 import ConnectResponse

__all__ = ["Connect", "Keeping", "connect_until_done"]

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE = timedelta(milliseconds=50)
_LONGEST_PAUSE = timedelta(seconds=2)


class Connect(Protocol):
    """Asks the collector at an address for a connection; raises `PeerError`."""

    async def __call__(self, address: str, *, dialect: Dialect | None) -> ConnectResponse: ...


async def connect_until_done(address: str, connect: Connect) -> None:
    """Asks, with growing pauses, until there is a connection. The address may carry the mark of a
    dialect.
    """
    dialect, address = split_dialect(address)
    for pause in pauses(_FIRST_PAUSE, _LONGEST_PAUSE):
        try:
            await connect(address, dialect=dialect)
        except PeerError as error:
            _LOG.info("%s; trying again", error)
            await asyncio.sleep(pause)
        else:
            return


class Keeping:
    """One task for each peer that this side asked for a connection."""

    def __init__(
        self,
        table: PeerTable,
        *,
        ask: Callable[[Peer], Awaitable[ConnectResponse]],
        agreed: Callable[[Peer, ConnectResponse], bool],
        retire: Callable[[Peer], None],
        spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]],
    ) -> None:
        """`ask` asks a peer for the connection; `agreed` takes its answer over into the table, and
        returns False for one that is no peer; `retire` closes one that is not in the table any
        more; `spawn` runs what may take until the collector stops.
        """
        self._table = table
        self._ask = ask
        self._agreed = agreed
        self._retire = retire
        self._spawn = spawn
        self._keepers: dict[Peer, asyncio.Task[None]] = {}

    def keep_up(self, peer: Peer) -> None:
        """Keeps the connection to this peer up from now on."""
        if peer not in self._keepers:
            self._keepers[peer] = self._spawn(self._keep(peer))

    def let_go(self, peer: Peer) -> None:
        """Does nothing more for this peer."""
        keeper = self._keepers.pop(peer, None)
        if keeper is not None and keeper is not asyncio.current_task():
            keeper.cancel()

    def clear(self) -> None:
        """Forgets everybody, whose tasks have been ended."""
        self._keepers.clear()

    async def _keep(self, peer: Peer) -> None:
        """Asks again whenever the connection was lost: the peer may have been started anew, and
        then knows nothing of this side (CON-014).
        """
        while self._keepers.get(peer) is asyncio.current_task():
            if peer.is_ready():
                await peer.closed()
                _LOG.info("the connection to '%s' at %s is lost", peer.collector_id, peer.address)
            before = key_of(peer.collector_id, peer.address)
            for pause in pauses(_FIRST_PAUSE, _LONGEST_PAUSE):
                try:
                    heard = peer.heard
                    response = await self._ask(peer)
                    if self._table.get(before) is not peer:
                        return
                    if peer.heard == heard:
                        # What it offered before the connection was lost may be of a former life.
                        peer.offered = None
                    if key_of(response.target_collector_id, peer.address) != before:
                        # Another collector answers there now.
                        self._table.remove(before)
                    if not self._agreed(peer, response):
                        self._retire(peer)
                        return
                except PeerError:
                    await asyncio.sleep(pause)
                else:
                    break
