"""Telling the peers that there are the namespaces of now, at once or as soon as they can be told;
and telling one anew who may have forgotten them.

What they are told, and what their answer means for the table, is the connections' business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta

from collector_reference.dispatch.backoff import pauses
from collector_reference.dispatch.peers import Peer
from collector_reference.dispatch.table import Key, PeerTable, key_of
from collector_reference.errors import PeerError
from collector_reference.wire.dispatcher_pb2 import ConnectResponse

__all__ = ["Telling"]

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE = timedelta(milliseconds=50)
_LONGEST_PAUSE = timedelta(seconds=2)
_AT_ONCE = 64
"""The most peers that are told at a time."""
_BETWEEN_DOUBTS = 1.0
"""Seconds after which a peer that was told anew may be doubted again."""


class Telling:
    """Asks peers again for the connections that there are, so that they hear what has changed."""

    def __init__(
        self,
        table: PeerTable,
        *,
        ask: Callable[[Peer], Awaitable[ConnectResponse]],
        agreed: Callable[[Key, Peer, ConnectResponse], None],
        spawn: Callable[[Coroutine[object, object, None]], object],
    ) -> None:
        """`ask` asks a peer for the connection, `agreed` takes its answer over into the table, and
        `spawn` runs what may take until the collector stops.
        """
        self._table = table
        self._ask = ask
        self._agreed = agreed
        self._spawn = spawn
        self._doubted: set[Peer] = set()

    async def everybody(self) -> None:
        """Returns when everybody has been told who can be reached; the others hear later."""
        places = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(self._now_or_later(peer, places) for peer in self._table))

    def anew(self, peer: Peer) -> None:
        """Tells a peer all that it was told, soon, for it may have been started anew unseen."""
        if peer not in self._doubted:
            self._doubted.add(peer)
            self._spawn(self._anew(peer))

    async def _anew(self, peer: Peer) -> None:
        try:
            await self._until_done(peer)
            await asyncio.sleep(_BETWEEN_DOUBTS)
        finally:
            self._doubted.discard(peer)

    async def _now_or_later(self, peer: Peer, places: asyncio.Semaphore) -> None:
        try:
            async with places:
                await self._tell(peer)
        except PeerError as error:
            _LOG.info("%s; it will be told the namespaces later", error)
            self._spawn(self._until_done(peer))

    async def _until_done(self, peer: Peer) -> None:
        for pause in pauses(_FIRST_PAUSE, _LONGEST_PAUSE):
            await asyncio.sleep(pause)
            try:
                await self._tell(peer)
            except PeerError:
                continue
            return

    async def _tell(self, peer: Peer) -> None:
        async with peer.telling:
            key = key_of(peer.collector_id, peer.address)
            if self._table.get(key) is not peer:
                return
            heard = peer.heard
            response = await self._ask(peer)
            if self._table.get(key) is not peer or (
                peer.collector_id and response.target_collector_id != peer.collector_id
            ):
                # Somebody else is there by now, whom the keeper deals with.
                return
            peer.connection_id = response.connection_id
            if peer.heard == heard:
                # Else the peer itself has said meanwhile what it has, and later than this answer.
                self._agreed(key, peer, response)
