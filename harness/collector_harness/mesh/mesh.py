"""A topology that runs: started, connected and stopped concurrently, and reset where it can be."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Self

from collector_harness.errors import (
    EnvironmentLacks,
    HarnessError,
    InternalFault,
    InvalidInput,
    Problem,
    TargetFailed,
)
from collector_harness.events import Emit, MeshStarted, MeshStopped
from collector_harness.faults.flow import Flow, Standstill
from collector_harness.faults.front import Front
from collector_harness.faults.plan import NO_FAULTS, FaultPlan
from collector_harness.faults.rpc_faults import RpcFaults
from collector_harness.faults.values import Fault, Place
from collector_harness.launchers.base import DEFAULT_READY_LIMIT, Launch, RunningNode
from collector_harness.launchers.choice import launcher_of, target_of
from collector_harness.mesh.breaking import broken, fault_from
from collector_harness.mesh.credentials import MeshCredentials
from collector_harness.mesh.descriptors import descriptors_needed, make_room, ran_out
from collector_harness.mesh.doors import Doors
from collector_harness.mesh.links import (
    dial,
    until_awake,
    until_connected,
    until_it_dispatches,
    until_lost,
)
from collector_harness.mesh.node import MeshNode
from collector_harness.mesh.order import start_order
from collector_harness.mesh.readiness import pauses, until_healthy
from collector_harness.peers.node import PeerNode
from collector_harness.targets import AttachTarget, Reference, Target
from collector_harness.topology.values import Link, Topology
from collector_reference import Collector
from collector_reference.errors import RestoreRefused

__all__ = ["Mesh"]

_numbers = itertools.count(1)

_REVERSE_LIMIT = timedelta(seconds=2)
"""How long the way back of a link may take where only the target's own dispatcher can tell: a
target that never opens it is for the scenarios to find, not for the start."""
_SETTLING_LIMIT = timedelta(seconds=6)
"""How long the links of a node that was broken are waited for: longer than the reference pauses
between two tries to connect."""
_GLANCE = timedelta(milliseconds=250)
_NOTICE_LIMIT = timedelta(seconds=1)
"""How long it may take until the loss of a connection is known to those who had it."""


class Mesh:
    """A topology, from the start of its nodes to the end of the last one. Lives on one loop.

    Nodes without a collector of their own become the `target`; those that serve handlers are
    always the reference. Raises `InvalidInput` for a topology that the targets cannot be.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        target: Target | None = None,
        emit: Emit | None = None,
        ready_limit: timedelta = DEFAULT_READY_LIMIT,
        plan: FaultPlan = NO_FAULTS,
        seed: int = 0,
    ) -> None:
        """`plan` says what `fault` can disturb, and `seed` decides what is random in it."""
        self.topology = topology
        self.plan = plan
        self.number = next(_numbers)
        """Unique in this process; what the events of the mesh carry."""
        self._emit = emit
        self._ready_limit = ready_limit
        targets = {node.name: target_of(node, target or Reference()) for node in topology.nodes}
        _check_attached(topology, targets)
        rng = random.Random(seed)
        diallers = plan.diallers(topology)
        self._rpc_faults = {name: RpcFaults() for name in plan.rpcs}
        self._credentials = MeshCredentials()
        self._nodes = {
            node.name: MeshNode(
                node,
                launcher_of(
                    node,
                    targets[node.name],
                    ready_limit=ready_limit,
                    front=Front(diallers[node.name], private=True, rng=rng)
                    if node.name in diallers
                    else None,
                    interceptors=[self._rpc_faults[node.name]]
                    if node.name in self._rpc_faults
                    else (),
                ),
                credentials=functools.partial(self._credentials.client_of, node),
            )
            for node in topology.nodes
        }
        self._doors = Doors(topology, self._nodes)
        self._standing: dict[str, list[tuple[Flow, Standstill]]] = {}
        self._doubtful = False
        self._disturbed = False
        self._before = start_order(
            topology,
            fronted={name for name, each in self._nodes.items() if each.running.front is not None},
        )
        self._started = False
        self._checkpoints: dict[str, tuple[Collector, object]] = {}

    def __getitem__(self, name: str) -> MeshNode:
        """Returns a node; raises `InvalidInput` with a did-you-mean."""
        return self._nodes[self.topology.node(name).name]

    def __iter__(self) -> Iterator[MeshNode]:
        return iter(self._nodes.values())

    @property
    def nodes(self) -> Mapping[str, MeshNode]:
        """Every node by name, in the order of the topology."""
        return MappingProxyType(self._nodes)

    @property
    def started(self) -> bool:
        """Whether it is up."""
        return self._started

    def failures(self) -> tuple[TargetFailed, ...]:
        """Returns why nodes died that nobody asked to."""
        return tuple(each.failure for each in self if each.failure is not None)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts every node and makes every link; returns when all answer and carry calls.

        Raises `TargetFailed`, `InvalidInput` or `EnvironmentLacks`; whatever it raises, also on
        cancellation, nothing of the mesh is left running.
        """
        if self._started:
            raise InternalFault("a mesh that runs cannot be started again")
        begin = time.perf_counter()
        doors = sum(len(list(each.running.front or ())) for each in self)
        make_room(
            descriptors_needed(self.topology, doors=doors),
            what=f"a mesh of {len(self.topology.nodes)} nodes and {len(self.topology.links)} links",
        )
        try:
            await _all(each.running.open() for each in self)
            await self._start_nodes()
            await self._join(self.topology.links)
        except BaseException as error:
            try:
                await self._clear()
            except Exception as further:  # noqa: BLE001 - the first error is the one to tell
                error.add_note(f"while clearing up: {type(further).__name__}: {further}")
            if not isinstance(error, HarnessError) and ran_out(error):
                raise EnvironmentLacks(
                    "there are no more open files for this process: raise the limit with "
                    "`ulimit -n`, or use a smaller topology"
                ) from error
            raise
        self._started = True
        self._checkpoint()
        if self._emit is not None:
            self._emit(
                MeshStarted(
                    mesh=self.number,
                    nodes={each.name: each.address for each in self},
                    links=tuple(str(link) for link in self.topology.links),
                    seconds=time.perf_counter() - begin,
                )
            )

    async def stop(self, grace: timedelta | None = None) -> None:
        """Stops every node; safe to call again.

        Without a grace, nodes in this process end at once and processes have
        `launchers.base.DEFAULT_GRACE` from SIGTERM to SIGKILL.
        """
        begin = time.perf_counter()
        was_started, self._started = self._started, False
        await self._clear(grace)
        if was_started and self._emit is not None:
            self._emit(MeshStopped(mesh=self.number, seconds=time.perf_counter() - begin))

    async def reset(self) -> bool:
        """Brings every node back to the state that it had after the start.

        Returns False when it cannot, because a node is a process or a peer that is played, was
        killed or started anew since, keeps its records where others do too, or lost a connection
        for good: stop the mesh then, and start another.
        """
        if not self._started or len(self._checkpoints) < len(self._nodes) or self._doubtful:
            return False
        if any(
            self._nodes[name].collector is not collector
            for name, (collector, _) in self._checkpoints.items()
        ):
            return False
        try:
            if self._disturbed:
                await self._wake(self.topology.links)
            await _all(
                collector.restore(checkpoint)
                for collector, checkpoint in self._checkpoints.values()
            )
            await self._until_up(self.topology.links)
            self._disturbed = False
        except (TargetFailed, RestoreRefused):
            return False
        return True

    def fault(
        self, fault: Fault | None = None, **written: Any
    ) -> AbstractAsyncContextManager[None]:
        """Breaks something while the block is under way, and heals it however the block ends.

        Written as `fault(kill="a")`, `fault(partition=[["hub"], ["a", "b"]])`,
        `fault(latency="hub -> a", delay=timedelta(milliseconds=50))`, or as a value of
        `faults.values`. It is in force when the block begins, and what it broke is healthy again
        when the block is left. Raises `InvalidInput` for what cannot be broken, and `TargetFailed`
        when a node is not healthy again.
        """
        self._disturbed = True
        return broken(self, fault if fault is not None else fault_from(**written))

    async def kill(self, name: str) -> None:
        """Ends a node at once, as a crash would; its address stays its own.

        Returns when its peers in this process know that their connections are gone.
        """
        await self[name].running.kill()
        await self.until_lost(name)

    async def pause(self, name: str) -> None:
        """Stops a node from doing anything, its connections left open: a process by a signal; of a
        node in this process the bytes stand still, both ways.
        """
        node = self[name]
        if node.collector is None or node.running.front is None:
            await node.running.pause()
        elif name not in self._standing:
            flows = [flow for door in node.running.front for flow in (door.inbound, door.outbound)]
            for other in self:
                door = other.running.front.door_for(name) if other.running.front else None
                if door is not None:
                    flows += [door.inbound, door.outbound]
            self._standing[name] = [(flow, Standstill()) for flow in flows]
            for flow, standstill in self._standing[name]:
                flow.add(standstill)

    async def resume(self, name: str) -> None:
        """Lets a paused node go on."""
        node = self[name]
        if node.collector is None or node.running.front is None:
            await node.running.resume()
        for flow, standstill in self._standing.pop(name, ()):
            flow.remove(standstill)

    async def restart(self, name: str, *, moved: bool = False) -> None:
        """Starts a node again on its address, after ending it where it still runs; with `moved`
        on another one.

        Returns when it is healthy and the links that it asks for itself are up. Those that
        others ask it for are theirs to make again (CON-014); a moved node is dialled anew by the
        nodes of this process, and those that are processes keep the doors that are their own.
        Raises `InvalidInput` where a process dials a node without such a door.
        """
        node = self[name]
        dialling = [link.source for link in self.topology.links if link.target == name]
        fixed = [source for source in dialling if self._nodes[source].running.dials]
        if moved:
            for source in fixed:
                if node.running.front is None or node.running.front.door_for(source) is None:
                    raise InvalidInput(
                        Problem(
                            message=f"node '{name}' cannot move: '{source}', a process, was told "
                            "its address",
                            hint="start the mesh with a plan in which this node can be disturbed",
                        )
                    )
        front = node.running.front
        if front is not None and any(front.door_for(source) for source in dialling):
            # One that says good-bye tells its own address, past the doors of those who dialled.
            await node.running.kill()
        else:
            await node.running.end()
        if moved:
            await node.close_client()
            await node.running.move(keep=fixed)
        await self._start_node(node)
        await self._join([link for link in self.topology.links if link.source == name])
        if moved:
            await _all(
                self._dial(Link(source=source, target=name))
                for source in dialling
                if source not in fixed
            )

    async def until_healthy(self, name: str) -> None:
        """Returns once a node answers that it is well; raises `TargetFailed` when it does not
        within the limit. A peer that is played is as well as it pretends to be.
        """
        node = self[name]
        if node.node.peer is None:
            await until_healthy(node.running, node.client, limit=self._ready_limit)

    async def until_settled(self, names: Collection[str]) -> None:
        """Returns once the links of these nodes carry calls again, as far as can be seen, and
        after a moment where they do not: that a peer connects again is its own matter (CON-014).
        """
        links = [
            link for link in self.topology.links if link.source in names or link.target in names
        ]
        async for _ in pauses(_SETTLING_LIMIT):
            # What is seen as open may turn out to be lost only when something is sent.
            await self._wake(links)
            with contextlib.suppress(TargetFailed):
                await self._until_up(links, limit=_GLANCE, asking=_SETTLING_LIMIT)
                return

    async def _wake(self, links: Iterable[Link]) -> None:
        pairs = [(link.source, link.target) for link in links]
        pairs += [(target, source) for source, target in pairs]
        await _all(
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

    @property
    def doors(self) -> Doors:
        """What can be disturbed between its nodes."""
        return self._doors

    def rpc_faults(self, name: str) -> RpcFaults:
        """Returns the RPC faults of a node; raises `InvalidInput` where it can have none."""
        self.topology.node(name)
        if name not in self._rpc_faults:
            raise InvalidInput(
                Problem(
                    message=f"RPCs of node '{name}' cannot be made to fail: its mesh was started "
                    "without the means for it",
                    hint="plan for it: Mesh(..., plan=FaultPlan(rpcs=frozenset({'" + name + "'})))",
                )
            )
        return self._rpc_faults[name]

    def doubt(self) -> None:
        """Marks the mesh as one that cannot be reset: a fault could not be healed."""
        self._doubtful = True

    async def until_lost(self, place: Place, *, limit: timedelta | None = None) -> None:
        """Returns when nodes in this process know that their connections are gone: to a node, or
        over a link, both ways. After a moment also where they do not.
        """
        if isinstance(place, str):
            linked = {link.source for link in self.topology.links if link.target == place}
            linked |= {link.target for link in self.topology.links if link.source == place}
            pairs = [(other, place) for other in linked]
        else:
            pairs = [place, place[::-1]]
        await _all(
            until_lost(self[node].running, self[peer].running, limit=limit or _NOTICE_LIMIT)
            for node, peer in pairs
        )

    async def _dial(self, link: Link) -> None:
        await dial(
            link,
            self._nodes[link.source].running,
            self._nodes[link.target].running,
            address=self._doors.address(link.target, by=link.source),
            advertise=self._doors.advertised(link.source, to=link.target),
        )

    async def _start_nodes(self) -> None:
        ready = {name: asyncio.Event() for name in self._nodes}

        async def start(node: MeshNode) -> None:
            for other in self._before[node.name]:
                await ready[other].wait()
            await self._start_node(node)
            ready[node.name].set()

        await _all(start(node) for node in self)

    async def _start_node(self, node: MeshNode) -> None:
        registry = node.node.registry
        await node.running.start(
            Launch(
                node=node.node,
                connect=tuple(
                    self._doors.address(link.target, by=node.name)
                    for link in self.topology.links
                    if link.source == node.name and self._by_itself(link)
                ),
                registry_address=None
                if registry in (None, node.name)
                else self._nodes[registry].address,
                security=self._credentials.of(node.node),
            )
        )
        node.open_client()
        await self.until_healthy(node.name)

    def _by_itself(self, link: Link) -> bool:
        """Whether the source makes a link by itself, and tries until it is made: a process does,
        and whoever is to connect to a peer that may not answer.
        """
        return self._nodes[link.source].running.dials or not self._is_reliable(link.target)

    def _is_reliable(self, name: str) -> bool:
        peer = self._nodes[name].node.peer
        return peer is None or peer.connects()

    async def _join(self, links: Iterable[Link]) -> None:
        """Makes links and waits until they are up."""
        links = tuple(links)
        await _all(self._dial(link) for link in links if not self._by_itself(link))
        await self._until_up(links)

    async def _until_up(
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
        await _all(
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
        )

    async def _until_dispatching_back(
        self, target: MeshNode, source: MeshNode, *, limit: timedelta
    ) -> None:
        await until_it_dispatches(target.node, target.client, source.node, limit=limit)

    def _checkpoint(self) -> None:
        self._checkpoints = {
            node.name: (node.collector, node.collector.checkpoint())
            for node in self
            if node.node.peer is None
            and node.collector is not None
            and hasattr(node.collector, "checkpoint")
        }

    async def _clear(self, grace: timedelta | None = None) -> None:
        self._checkpoints.clear()
        if grace is None:
            # Who dialled hangs up first: a server that has to cut connections takes longer, and
            # gRPC writes a line to standard error for each.
            await asyncio.gather(
                *(each.close_client() for each in self),
                *(each.collector.disconnect() for each in self if each.collector is not None),
                return_exceptions=True,
            )
        ended = await asyncio.gather(
            *(each.running.stop(grace) for each in self),
            *(each.close_client() for each in self),
            return_exceptions=True,
        )
        self._credentials.close()
        for error in ended:
            if isinstance(error, BaseException):
                raise error


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Runs everything at once; at the first error ends the rest, and raises that error."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _check_attached(topology: Topology, targets: Mapping[str, Target]) -> None:
    attached = [name for name, target in targets.items() if isinstance(target, AttachTarget)]
    problems = []
    if len(attached) > 1:
        problems.append(
            Problem(
                message=f"{targets[attached[0]]} is one running collector, but the topology needs "
                f"{len(attached)} of the collector under test",
                hint="use exec:COMMAND, which starts as many as are needed",
            )
        )
    problems += [
        Problem(
            message=f"link '{link}' begins at {targets[link.source]}, which nobody can tell to "
            "connect",
            hint=f"turn it round: {link.target} -> {link.source}; a link carries calls both ways",
        )
        for link in topology.links
        if link.source in attached
    ]
    if problems:
        raise InvalidInput(problems)
