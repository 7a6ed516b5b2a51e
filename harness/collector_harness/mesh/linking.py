"""The links of one mesh: made, watched until they carry calls, and waited for after a fault.

How a single link is made and looked at is in `mesh.links`.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Coroutine, Iterable, Mapping
from datetime import timedelta
from typing import Any

from collector_harness.errors import TargetFailed
from collector_harness.faults.values import Place
from collector_harness.launchers.base import RunningNode
from collector_harness.mesh.doors import Doors
from collector_harness.mesh.links import dial as ask_to_dial
from collector_harness.mesh.links import (
    until_awake,
    until_connected,
    until_it_dispatches,
)
from collector_harness.mesh.links import until_lost as until_one_lost
from collector_harness.mesh.node import MeshNode
from collector_harness.mesh.readiness import all_of, pauses
from collector_harness.peers.node import PeerNode
from collector_harness.topology.values import Link, Topology

__all__ = ["Linking"]

_REVERSE_LIMIT = timedelta(seconds=2)
"""How long the way back of a link may take where only the target's own dispatcher can tell: a
target that never opens it is for the scenarios to find, not for the start."""
_SETTLING_LIMIT = timedelta(seconds=6)
"""How long the links of a node that was broken are waited for: longer than the reference pauses
between two tries to connect."""
_GLANCE = timedelta(milliseconds=250)
_NOTICE_LIMIT = timedelta(seconds=1)
"""How long it may take until the loss of a connection is known to those who had it."""


class Linking:
    """The links of one mesh. Lives on its loop."""

    def __init__(
        self,
        topology: Topology,
        nodes: Mapping[str, MeshNode],
        doors: Doors,
        *,
        ready_limit: timedelta,
    ) -> None:
        """`ready_limit` is how long links may take at the start."""
        self._topology = topology
        self._nodes = nodes
        self._doors = doors
        self._ready_limit = ready_limit

    async def until_settled(self, names: Collection[str]) -> None:
        """Returns once the links of these nodes carry calls again, as far as can be seen, and
        after a moment where they do not: that a peer connects again is its own matter (CON-014).
        """
        links = [
            link for link in self._topology.links if link.source in names or link.target in names
        ]
        async for _ in pauses(_SETTLING_LIMIT):
            # What is seen as open may turn out to be lost only when something is sent.
            await self.wake(links)
            with contextlib.suppress(TargetFailed):
                await self.until_up(links, limit=_GLANCE, asking=_SETTLING_LIMIT)
                return

    async def wake(self, links: Iterable[Link]) -> None:
        """Lets nodes of this process open again what a fault ended."""
        pairs = [(link.source, link.target) for link in links]
        pairs += [(target, source) for source, target in pairs]
        await all_of(
            until_awake(
                self._nodes[name].running,
                self._nodes[name].client,
                self._nodes[peer].running,
                limit=_SETTLING_LIMIT,
            )
            for name, peer in pairs
            if self._nodes[name].collector is not None
            and self._is_reliable(name)
            and self._is_reliable(peer)
        )

    async def until_lost(self, place: Place, *, limit: timedelta | None = None) -> None:
        """Returns when nodes in this process know that their connections are gone: to a node, or
        over a link, both ways. After a moment also where they do not.
        """
        if isinstance(place, str):
            linked = {link.source for link in self._topology.links if link.target == place}
            linked |= {link.target for link in self._topology.links if link.source == place}
            pairs = [(other, place) for other in linked]
        else:
            pairs = [place, place[::-1]]
        await all_of(
            until_one_lost(
                self._nodes[node].running, self._nodes[peer].running, limit=limit or _NOTICE_LIMIT
            )
            for node, peer in pairs
        )

    async def dial(self, link: Link) -> None:
        """Lets the source, a node in this process, connect; raises `TargetFailed`."""
        source, target = self._nodes[link.source], self._nodes[link.target]
        await ask_to_dial(
            link,
            source.running,
            target.running,
            dialect=None if source.dialect == target.dialect else target.dialect,
            address=self._doors.address(link.target, by=link.source),
            advertise=self._doors.advertised(link.source, to=link.target),
        )

    def dials_itself(self, link: Link) -> bool:
        """Whether the source makes a link by itself, and tries until it is made: a process does,
        and whoever is to connect to a peer that may not answer.
        """
        return self._nodes[link.source].running.dials or not self._is_reliable(link.target)

    def _is_reliable(self, name: str) -> bool:
        peer = self._nodes[name].node.peer
        return peer is None or peer.connects()

    async def join(self, links: Iterable[Link]) -> None:
        """Makes links and waits until they are up."""
        links = tuple(links)
        await all_of(self.dial(link) for link in links if not self.dials_itself(link))
        await self.until_up(links)

    async def until_up(
        self,
        links: Iterable[Link],
        *,
        limit: timedelta | None = None,
        asking: timedelta | None = None,
    ) -> None:
        """Waits until links are up: `limit` is for what can be looked at, `asking` for what has to
        be asked; both are the limit of the start when None. Raises `TargetFailed` after it.
        """
        limit = limit or self._ready_limit
        peers: defaultdict[str, list[RunningNode]] = defaultdict(list)
        asked: list[Coroutine[Any, Any, None]] = []
        for link in links:
            source, target = self._nodes[link.source], self._nodes[link.target]
            if isinstance(target.running, PeerNode) and not self._is_reliable(target.name):
                asked.append(target.running.until_asked(limit=asking or limit, by=source.name))
                continue
            if source.collector is not None:
                peers[source.name].append(target.running)
            elif source.running.dials:
                asked.append(self._until_dispatching(link, source, target, limit=asking or limit))
            if target.collector is not None:
                peers[target.name].append(source.running)
            elif target.running.dials:
                asked.append(
                    self._until_dispatching_back(
                        target, source, limit=_REVERSE_LIMIT if asking is None else asking
                    )
                )
        await all_of(
            [
                *asked,
                *(
                    until_connected(self._nodes[name].running, others, limit=limit)
                    for name, others in peers.items()
                ),
            ]
        )

    async def _until_dispatching(
        self, link: Link, source: MeshNode, target: MeshNode, *, limit: timedelta
    ) -> None:
        # Where the target's own table shows the connection, the probe only has to outwait the
        # moment until the source has read the target's consent.
        seen_elsewhere = target.collector is not None
        answers = await until_it_dispatches(
            source.node,
            source.client,
            target.node,
            limit=min(_REVERSE_LIMIT, limit) if seen_elsewhere else limit,
        )
        if answers is None or seen_elsewhere:
            return
        failure = source.failure or target.failure
        raise failure or TargetFailed(
            f"link '{link}' is not up after {limit.total_seconds():g} s: asked for "
            f"'{target.name}', node '{source.name}' answers {answers[0].status} "
            f"({answers[0].message}), as for a collector that does not exist",
            node=source.name,
            log_tail=source.log_tail(),
            lives=True,
        )

    async def _until_dispatching_back(
        self, target: MeshNode, source: MeshNode, *, limit: timedelta
    ) -> None:
        await until_it_dispatches(target.node, target.client, source.node, limit=limit)
