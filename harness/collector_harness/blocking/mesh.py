"""A running mesh, for plain test functions: its nodes by name, and faults as contexts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from collector_harness.blocking.node import BlockingNode
from collector_harness.blocking.service import BlockingService
from collector_harness.faults.plan import NO_FAULTS, FaultPlan
from collector_harness.faults.values import Fault
from collector_harness.mesh import Mesh
from collector_harness.runtime import Runtime
from collector_harness.targets import Target
from collector_harness.topology.values import Topology

__all__ = ["BlockingMesh"]


class BlockingMesh:
    """A running mesh: `mesh["west"].dispatch(...)`."""

    def __init__(self, mesh: Mesh, runtime: Runtime) -> None:
        self._mesh = mesh
        self._runtime = runtime
        self._nodes = {node.name: BlockingNode(mesh, node, runtime) for node in mesh}
        self._services = {
            service.name: BlockingService(mesh, service, runtime)
            for service in mesh.services.values()
        }

    @classmethod
    @contextmanager
    def running(
        cls,
        topology: Topology,
        *,
        target: Target | None = None,
        runtime: Runtime | None = None,
        plan: FaultPlan = NO_FAULTS,
    ) -> Iterator[Self]:
        """Starts a mesh, on a runtime of its own unless one is given, and stops it at the end.

        `plan` says what `fault` can disturb. Raises what `Mesh` and `Mesh.start` raise.
        """
        own = Runtime() if runtime is None else runtime
        try:
            mesh = Mesh(topology, target=target, plan=plan)
            own.run(mesh.start())
            try:
                yield cls(mesh, own)
            finally:
                own.run(mesh.stop())
        finally:
            if runtime is None:
                own.close()

    @property
    def topology(self) -> Topology:
        """What it was before it ran."""
        return self._mesh.topology

    @property
    def nodes(self) -> Mapping[str, BlockingNode]:
        """Every node by name, in the order of the topology."""
        return dict(self._nodes)

    @property
    def services(self) -> Mapping[str, BlockingService]:
        """Every service by name, in the order of the topology."""
        return dict(self._services)

    def __getitem__(self, name: str) -> BlockingNode:
        """Returns a node or service; raises `InvalidInput` with a did-you-mean."""
        known = self._mesh[name].name
        return self._services[known] if known in self._services else self._nodes[known]

    def __iter__(self) -> Iterator[BlockingNode]:
        return iter(self._nodes.values())

    def kill(self, name: str) -> None:
        """Ends a node at once, as a crash would; its address stays its own."""
        self[name].kill()

    def pause(self, name: str) -> None:
        """Stops a process from doing anything, its connections left open."""
        self[name].pause()

    def resume(self, name: str) -> None:
        """Lets a paused process go on."""
        self[name].resume()

    def restart(self, name: str) -> None:
        """Starts a node again on its address, after ending it where it still runs."""
        self[name].restart()

    @contextmanager
    def fault(self, fault: Fault | None = None, **written: Any) -> Iterator[None]:
        """Breaks something while the block is under way, and heals it however the block ends.

        Written as `fault(kill="a")`, `fault(partition=[["hub"], ["a", "b"]])` or
        `fault(latency="hub -> a", delay=timedelta(milliseconds=50))`: what scenarios write as a
        mapping is keywords here. What disturbs bytes needs a mesh that was asked for with
        `faults=True`. Raises `InvalidInput` for what cannot be broken, and `TargetFailed` when a
        node is not healthy again.
        """
        broken = self._mesh.fault(fault, **written)
        self._runtime.run(broken.__aenter__())
        try:
            yield
        except BaseException:
            if not self._runtime.run(broken.__aexit__(*sys.exc_info())):
                raise
        else:
            self._runtime.run(broken.__aexit__(None, None, None))

    def reset(self) -> bool:
        """Brings every node back to its state after the start; False where that cannot be."""
        return self._runtime.run(self._mesh.reset())

    def __repr__(self) -> str:
        return f"<mesh of {', '.join(self._nodes)}>"
