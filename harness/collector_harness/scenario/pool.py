"""Running meshes, lent to cases and used again where that is safe.

A mesh is lent to one case at a time and put back to its start in between; a mesh that
cannot be put back, or that a case left in an unknown state, is stopped and started
anew. What a case does with its mesh is no concern of this module.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable

from collector_harness.events import Emit
from collector_harness.faults.plan import NO_FAULTS, FaultPlan
from collector_harness.mesh import Mesh
from collector_harness.scenario.model import Isolation
from collector_harness.targets import Target
from collector_harness.topology.databases import FreshDatabases
from collector_harness.topology.values import Topology

__all__ = ["MeshPool"]

_IDLE_LIMIT = 8
"""Idle meshes kept. Enough for suites that alternate between a few topologies."""


class MeshPool:
    """Lends meshes by the definition of their topology. Use it on one event loop."""

    def __init__(
        self,
        *,
        target: Target,
        emit: Emit | None = None,
        databases: FreshDatabases = FreshDatabases(),  # noqa: B008 - a frozen value
    ) -> None:
        """`databases` says where fresh databases of services are made."""
        self._target = target
        self._databases = databases
        self._emit = emit
        self._idle: OrderedDict[Mesh, Hashable] = OrderedDict()  # the least recently used first
        self._shared: dict[Hashable, asyncio.Task[Mesh]] = {}

    @contextlib.asynccontextmanager
    async def lease(
        self,
        topology: Topology,
        isolation: Isolation = "case",
        *,
        plan: FaultPlan = NO_FAULTS,
        seed: int = 0,
    ) -> AsyncIterator[Mesh]:
        """Lends a running mesh of that definition, in which the faults of `plan` can be done.

        `seed` decides what is random in them. Raises `TargetFailed` when a node does not start
        and `EnvironmentLacks` when the machine lacks what the mesh needs.
        """
        key = _key(topology, plan)
        if isolation == "shared" and key is not None:
            yield await self._shared_mesh(key, topology, plan)
            return
        mesh = self._take(key) if isolation == "case" else None
        if mesh is None:
            mesh = await self._start(topology, plan, seed)
        else:
            await self._renew(mesh)
        reusable = False
        try:
            yield mesh
            reusable = isolation == "case" and key is not None
        finally:
            # A case that ended in an error may have left calls behind: its mesh goes.
            if reusable and await self._reset(mesh):
                self._idle[mesh] = key
                await self._shrink()
            else:
                await mesh.stop()

    async def close(self) -> None:
        """Stops every mesh that is not lent; waits for all of them."""
        started = await asyncio.gather(*self._shared.values(), return_exceptions=True)
        meshes = [*self._idle, *(mesh for mesh in started if isinstance(mesh, Mesh))]
        self._idle.clear()
        self._shared.clear()
        await asyncio.gather(*(mesh.stop() for mesh in meshes))

    def _take(self, key: Hashable) -> Mesh | None:
        for mesh, of in reversed(self._idle.items()):
            if of == key:
                del self._idle[mesh]
                return mesh
        return None

    async def _start(self, topology: Topology, plan: FaultPlan, seed: int = 0) -> Mesh:
        mesh = Mesh(
            topology,
            target=self._target,
            emit=self._emit,
            plan=plan,
            seed=seed,
            databases=self._databases,
        )
        try:
            await mesh.start()
        except BaseException:
            await mesh.stop()
            raise
        return mesh

    async def _renew(self, mesh: Mesh) -> None:
        try:
            await mesh.renew()
        except BaseException:
            await mesh.stop()
            raise

    async def _reset(self, mesh: Mesh) -> bool:
        try:
            return await mesh.reset()
        except BaseException:
            await mesh.stop()
            raise

    async def _shared_mesh(self, key: Hashable, topology: Topology, plan: FaultPlan) -> Mesh:
        # The task, not the first case, owns the start: a case that is cancelled
        # must not take the mesh from the others.
        task = self._shared.get(key)
        if task is None:
            task = self._shared[key] = asyncio.create_task(self._start(topology, plan))
        return await asyncio.shield(task)

    async def _shrink(self) -> None:
        while len(self._idle) > _IDLE_LIMIT:
            mesh, _ = self._idle.popitem(last=False)
            await mesh.stop()


def _key(topology: Topology, plan: FaultPlan) -> Hashable:
    """Returns what equal definitions have in common; None for one that cannot be compared."""
    try:
        hash(topology)
    except TypeError:  # a handler object that cannot be hashed may also have state of its own
        return None
    return topology, plan
