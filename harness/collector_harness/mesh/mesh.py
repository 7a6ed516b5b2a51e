"""A topology that runs: started, connected and stopped concurrently, and reset where it can be."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Awaitable, Coroutine, Iterable, Iterator, Mapping
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
from collector_harness.launchers.base import DEFAULT_READY_LIMIT, Launch, RunningNode
from collector_harness.launchers.choice import launcher_of, target_of
from collector_harness.mesh.descriptors import descriptors_needed, make_room, ran_out
from collector_harness.mesh.links import dial, until_connected, until_it_dispatches
from collector_harness.mesh.node import MeshNode
from collector_harness.mesh.order import start_order
from collector_harness.mesh.readiness import until_healthy
from collector_harness.targets import AttachTarget, Reference, Target
from collector_harness.topology.values import Link, Topology
from collector_reference import Collector

__all__ = ["Mesh"]

_numbers = itertools.count(1)

_REVERSE_LIMIT = timedelta(seconds=2)
"""How long the way back of a link may take where only the target's own dispatcher can tell: a
target that never opens it is for the scenarios to find, not for the start."""


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
    ) -> None:
        self.topology = topology
        self.number = next(_numbers)
        """Unique in this process; what the events of the mesh carry."""
        self._emit = emit
        self._ready_limit = ready_limit
        targets = {node.name: target_of(node, target or Reference()) for node in topology.nodes}
        _check_attached(topology, targets)
        self._nodes = {
            node.name: MeshNode(
                node, launcher_of(node.name, targets[node.name], ready_limit=ready_limit)
            )
            for node in topology.nodes
        }
        self._before = start_order(
            topology, fronted={name for name, each in self._nodes.items() if each.running.dials}
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
        make_room(
            descriptors_needed(self.topology),
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

        Returns False when it cannot, because a node is a process, was killed or started anew
        since, or lost a connection for good: stop the mesh then, and start another.
        """
        if not self._started or len(self._checkpoints) < len(self._nodes):
            return False
        if any(
            self._nodes[name].collector is not collector
            for name, (collector, _) in self._checkpoints.items()
        ):
            return False
        try:
            await _all(
                collector.restore(checkpoint)
                for collector, checkpoint in self._checkpoints.values()
            )
            await self._until_up(self.topology.links)
        except TargetFailed:
            return False
        return True

    async def kill(self, name: str) -> None:
        """Ends a node at once, as a crash would; its address stays its own."""
        await self[name].running.kill()

    async def pause(self, name: str) -> None:
        """Stops a process from doing anything, its connections left open."""
        await self[name].running.pause()

    async def resume(self, name: str) -> None:
        """Lets a paused process go on."""
        await self[name].running.resume()

    async def restart(self, name: str) -> None:
        """Starts a node again on its address, after ending it where it still runs.

        Returns when it is healthy and the links that it asks for itself are up. Those that
        others ask it for are theirs to make again (CON-014).
        """
        node = self[name]
        await node.running.end()
        await self._start_node(node)
        await self._join([link for link in self.topology.links if link.source == name])

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
                    self._nodes[link.target].address
                    for link in self.topology.links
                    if link.source == node.name and node.running.dials
                ),
                registry_address=None
                if registry in (None, node.name)
                else self._nodes[registry].address,
            )
        )
        await until_healthy(node.running, node.open_client(), limit=self._ready_limit)

    async def _join(self, links: Iterable[Link]) -> None:
        """Makes links and waits until they are up."""
        links = tuple(links)
        await _all(
            dial(link, self._nodes[link.source].running, self._nodes[link.target].running)
            for link in links
            if not self._nodes[link.source].running.dials
        )
        await self._until_up(links)

    async def _until_up(self, links: Iterable[Link]) -> None:
        peers: defaultdict[str, list[RunningNode]] = defaultdict(list)
        asked: list[Coroutine[Any, Any, None]] = []
        for link in links:
            source, target = self._nodes[link.source], self._nodes[link.target]
            if source.collector is not None:
                peers[source.name].append(target.running)
            elif source.running.dials:
                asked.append(self._until_dispatching(link, source, target))
            if target.collector is not None:
                peers[target.name].append(source.running)
            elif target.running.dials:
                asked.append(self._until_dispatching_back(target, source))
        await _all(
            [
                *asked,
                *(
                    until_connected(self._nodes[name].running, others, limit=self._ready_limit)
                    for name, others in peers.items()
                ),
            ]
        )

    async def _until_dispatching(self, link: Link, source: MeshNode, target: MeshNode) -> None:
        # Where the target's own table shows the connection, the probe only has to outwait the
        # moment until the source has read the target's consent.
        seen_elsewhere = target.collector is not None
        answers = await until_it_dispatches(
            source.node,
            source.client,
            target.node,
            limit=_REVERSE_LIMIT if seen_elsewhere else self._ready_limit,
        )
        if answers is None or seen_elsewhere:
            return
        failure = source.failure or target.failure
        raise failure or TargetFailed(
            f"link '{link}' is not up after {self._ready_limit.total_seconds():g} s: asked for "
            f"'{target.name}', node '{source.name}' answers {answers[0].status} "
            f"({answers[0].message}), as for a collector that does not exist",
            node=source.name,
            log_tail=source.log_tail(),
        )

    async def _until_dispatching_back(self, target: MeshNode, source: MeshNode) -> None:
        await until_it_dispatches(target.node, target.client, source.node, limit=_REVERSE_LIMIT)

    def _checkpoint(self) -> None:
        self._checkpoints = {
            node.name: (node.collector, node.collector.checkpoint())
            for node in self
            if node.collector is not None and hasattr(node.collector, "checkpoint")
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
