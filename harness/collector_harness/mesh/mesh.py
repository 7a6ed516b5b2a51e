"""A topology that runs: started, connected and stopped concurrently, and reset where it can be."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator, Mapping
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
from collector_harness.faults.plan import NO_FAULTS, FaultPlan
from collector_harness.faults.rpc_faults import RpcFaults
from collector_harness.faults.values import Fault
from collector_harness.launchers.base import DEFAULT_READY_LIMIT
from collector_harness.mesh.again import Again
from collector_harness.mesh.breaking import broken, fault_from
from collector_harness.mesh.credentials import MeshCredentials
from collector_harness.mesh.crowds import Crowds
from collector_harness.mesh.databases import Databases
from collector_harness.mesh.descriptors import descriptors_needed, make_room, ran_out
from collector_harness.mesh.doors import Doors
from collector_harness.mesh.folder import MeshFolder
from collector_harness.mesh.linking import Linking
from collector_harness.mesh.node import MeshNode
from collector_harness.mesh.order import start_order
from collector_harness.mesh.parts import nodes_of, rpc_faults_of, services_of
from collector_harness.mesh.readiness import all_of
from collector_harness.mesh.service import MeshService
from collector_harness.mesh.standing import Standing, can_stand_still
from collector_harness.mesh.starting import Starting
from collector_harness.mesh.texts import Texts
from collector_harness.targets import Reference, Target
from collector_harness.topology.databases import FreshDatabases
from collector_harness.topology.values import Topology
from collector_reference import Collector
from collector_reference.errors import RestoreRefused

__all__ = ["Mesh"]

_METRICS = "COLLECTOR_METRICS"
_numbers = itertools.count(1)


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
        databases: FreshDatabases = FreshDatabases(),  # noqa: B008 - a frozen value
    ) -> None:
        """`plan` says what `fault` can disturb, and `seed` decides what is random in it; fresh
        databases are made where `databases` says.
        """
        self.topology = topology
        self.plan = plan
        self.number = next(_numbers)
        """Unique in this process; what the events of the mesh carry."""
        self.crowds = Crowds()
        """What was registered by the thousand in its nodes."""
        self._emit = emit
        self._ready_limit = ready_limit
        self._rpc_faults = rpc_faults_of(plan, topology)
        self._folder = MeshFolder()
        self._texts = Texts(self.__getitem__)
        self._credentials = MeshCredentials(self._folder, self._texts.fill)
        self._databases = Databases(self._folder, self._texts.fill, fresh=databases)
        rng = random.Random(seed)
        self._nodes = nodes_of(
            topology,
            target or Reference(),
            plan=plan,
            rng=rng,
            rpc_faults=self._rpc_faults,
            ready_limit=ready_limit,
            credentials=self._credentials,
        )
        self._services = services_of(
            topology,
            plan=plan,
            rng=rng,
            credentials=self._credentials,
            databases=self._databases,
            texts=self._texts,
        )
        self._doors = Doors(topology, {**self._nodes, **self._services})
        self._linking = Linking(topology, self._nodes, self._doors, ready_limit=ready_limit)
        self._standing: dict[str, Standing] = {}
        self._doubtful = False
        self._disturbed = False
        self._starting = Starting(
            topology,
            {**self._nodes, **self._services},
            before=start_order(
                topology,
                fronted={
                    *self._services,
                    *(name for name, each in self._nodes.items() if each.running.front is not None),
                },
            ),
            doors=self._doors,
            linking=self._linking,
            credentials=self._credentials,
            texts=self._texts,
            folder=self._folder,
            ready_limit=ready_limit,
        )
        self._started = False
        self._checkpoints: dict[str, tuple[Collector, object]] = {}

    def __getitem__(self, name: str) -> MeshNode:
        """Returns a node or service; raises `InvalidInput` with a did-you-mean."""
        if name in self._services:
            return self._services[name]
        return self._nodes[self.topology.node(name).name]

    def __iter__(self) -> Iterator[MeshNode]:
        return iter(self._nodes.values())

    @property
    def nodes(self) -> Mapping[str, MeshNode]:
        """Every node by name, in the order of the topology."""
        return MappingProxyType(self._nodes)

    @property
    def services(self) -> Mapping[str, MeshService]:
        """Every service by name, in the order of the topology."""
        return MappingProxyType(self._services)

    @property
    def parts(self) -> Iterator[MeshNode]:
        """Every node, then every service."""
        yield from self._nodes.values()
        yield from self._services.values()

    @property
    def started(self) -> bool:
        """Whether it is up."""
        return self._started

    def failures(self) -> tuple[TargetFailed, ...]:
        """Returns why nodes died that nobody asked to."""
        return tuple(each.failure for each in self.parts if each.failure is not None)

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
        doors = sum(len(list(each.running.front or ())) for each in self.parts)
        make_room(
            descriptors_needed(self.topology, doors=doors),
            what=f"a mesh of {len(self.topology.nodes)} nodes and {len(self.topology.links)} links",
        )
        try:
            await all_of(each.running.open() for each in self.parts)
            await self._databases.make(self.topology.services)
            await self._starting.start(self.parts)
            await self._linking.join(self.topology.links)
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
                    nodes={each.name: each.address for each in self.parts},
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

        Services are ended and forget, unless they keep what they know: `renew` starts them again.
        Returns False when it cannot, because a node is a process, a peer that is played or a
        collector of somebody else's, was killed or started anew since, keeps its records where
        others do too, has metrics, which only grow, or lost a connection for good: stop the mesh
        then, and start another.
        """
        if not self._started or len(self._checkpoints) < len(self._nodes) or self._doubtful:
            return False
        if any(
            self._nodes[name].collector is not collector
            for name, (collector, _) in self._checkpoints.items()
        ):
            return False
        self.crowds.forget()
        try:
            # They are started again when the mesh is used again: it may be for the last time now.
            await asyncio.gather(*(self._forget(each) for each in self._services.values()))
            if self._disturbed:
                await self._linking.wake(self.topology.links)
            await all_of(
                collector.restore(checkpoint)
                for collector, checkpoint in self._checkpoints.values()
            )
            await self._linking.until_up(self.topology.links)
            self._disturbed = False
        except (TargetFailed, RestoreRefused):
            return False
        return True

    async def renew(self) -> None:
        """Starts the services again that `reset` has ended, with fresh databases.

        Raises as `start` does; the mesh is to be stopped then.
        """
        await self._databases.make(self.topology.services)
        await self._starting.start(each for each in self._services.values() if not each.alive)

    async def _forget(self, part: MeshService) -> None:
        if not part.service.launched:
            return
        if not part.service.keeps:
            await part.running.end()
            await self._databases.forget(part.service)
        # What one that stays wrote in a case is not told of the next one either.
        part.running_service.forget()

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
        self.crowds.forget(name)
        await self[name].running.kill()
        await self._linking.until_lost(name)

    async def pause(self, name: str) -> None:
        """Stops a node from doing anything, its connections left open: a process by a signal; of a
        node in this process the bytes stand still, both ways.
        """
        node = self[name]
        if not can_stand_still(node):
            await node.running.pause()
        elif name not in self._standing:
            self._standing[name] = Standing(node, self)

    async def resume(self, name: str) -> None:
        """Lets a paused node or service go on."""
        node = self[name]
        if not can_stand_still(node):
            await node.running.resume()
        if name in self._standing:
            self._standing.pop(name).end()

    async def restart(self, name: str, *, moved: bool = False, healthy: bool = True) -> None:
        """Starts a node again on its address, after ending it where it still runs; with `moved`
        on another one.

        Returns when it is healthy, without `healthy` when it says that it is ready, and the links
        that it asks for are up. Those that others ask it for are theirs to make again (CON-014);
        a moved node is dialled anew by the nodes of this process, and processes keep the doors that
        are their own. Raises `InvalidInput` where a process dials a node without such a door.
        """
        self.crowds.forget(name)
        again = Again(self.topology, self._nodes, starting=self._starting, linking=self._linking)
        await again.start(self[name], moved=moved, healthy=healthy)

    async def until_healthy(self, name: str) -> None:
        """Returns once a node or service answers that it is well; raises `TargetFailed` when it
        does not within the limit. A peer that is played is as well as it pretends to be.
        """
        await self._starting.until_healthy(self[name])

    @property
    def linking(self) -> Linking:
        """Its links, as far as they are made and waited for."""
        return self._linking

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

    def _checkpoint(self) -> None:
        self._checkpoints = {
            node.name: (node.collector, node.collector.checkpoint())
            for node in self
            if node.node.peer is None
            # What is made of the reference may remember more than the reference tells.
            and type(node.collector) is Collector
            and _METRICS not in dict(node.node.environment)
        }

    async def _clear(self, grace: timedelta | None = None) -> None:
        self._checkpoints.clear()
        if grace is None:
            # Who dialled hangs up first: a server that has to cut connections takes longer, and
            # gRPC writes a line to standard error for each.
            await asyncio.gather(
                *(each.close_client() for each in self.parts),
                *(each.collector.disconnect() for each in self if each.collector is not None),
                return_exceptions=True,
            )
        ended = await asyncio.gather(
            *(each.running.stop(grace) for each in self.parts),
            *(each.close_client() for each in self.parts),
            return_exceptions=True,
        )
        removed = await asyncio.gather(self._databases.remove(), return_exceptions=True)
        self._folder.remove()
        for error in (*ended, *removed):
            if isinstance(error, BaseException):
                raise error
