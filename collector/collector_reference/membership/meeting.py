"""What follows from membership: collectors connect to each other, and let go of who is gone.

Of two members the one with the lesser id asks, so that there is one connection between them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from collector_reference.errors import PeerError, StoreUnavailable
from collector_reference.membership.etcd import Member, Members
from collector_reference.registry.notation import EtcdMembership

__all__ = ["Meeting"]

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0


class Meeting:
    """One collector among the members of its fleet."""

    def __init__(
        self,
        choice: EtcdMembership,
        *,
        own_id: str,
        limit: timedelta,
        connect: Callable[[str], Awaitable[object]],
        forget: Callable[[str], None],
    ) -> None:
        """`connect` asks the collector at an address, and raises `PeerError`; `forget` drops what
        is known of the peer of an id.
        """
        self._members = Members(choice, limit=limit, changed=self._meet)
        self._own_id = own_id
        self._connect = connect
        self._forget = forget
        self._asking: dict[str, tuple[str, asyncio.Task[None]]] = {}
        self._known: set[str] = set()

    async def join(self, address: str, namespaces: tuple[str, ...]) -> None:
        """Becomes a member, and connects to the others from then on; raises `NotReady`."""
        await self._members.join(self._me(address, namespaces))

    async def announce(self, address: str, namespaces: tuple[str, ...]) -> None:
        """Writes into its entry what has changed; peers have heard of it already."""
        try:
            await self._members.announce(self._me(address, namespaces))
        except StoreUnavailable as error:
            _LOG.warning("the membership does not tell the new namespaces: %s", error)

    async def leave(self) -> None:
        """Is no member any more, and connects to nobody further. May be called twice."""
        await self._members.leave()
        asking, self._asking = self._asking, {}
        for _, task in asking.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in asking.values()), return_exceptions=True)

    def _me(self, address: str, namespaces: tuple[str, ...]) -> Member:
        return Member(collector_id=self._own_id, address=address, namespaces=namespaces)

    def _meet(self, members: Mapping[str, Member]) -> None:
        for collector_id, (address, task) in list(self._asking.items()):
            if collector_id not in members or members[collector_id].address != address:
                task.cancel()
                del self._asking[collector_id]
        for collector_id in self._known - members.keys() - {self._own_id}:
            _LOG.info("collector '%s' is no member any more", collector_id)
            self._forget(collector_id)
        self._known = set(members)
        for collector_id, member in members.items():
            if collector_id > self._own_id and collector_id not in self._asking:
                task = asyncio.create_task(self._ask(member))
                self._asking[collector_id] = (member.address, task)

    async def _ask(self, member: Member) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._connect(member.address)
            except PeerError as error:
                _LOG.info("member '%s': %s; trying again", member.collector_id, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return
