"""One node of a running mesh, for plain test functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collector_harness.blocking.calls import Caller, waiting
from collector_harness.blocking.registry import BlockingRegistry
from collector_harness.client import NodeClient
from collector_harness.mesh import Mesh, MeshNode
from collector_harness.runtime import Runtime
from collector_reference import Collector, Statistics

__all__ = ["BlockingNode"]


class BlockingNode(Caller):
    """One node of a running mesh. Calls return a `Reply`, also when they fail."""

    def __init__(self, mesh: Mesh, node: MeshNode, runtime: Runtime) -> None:
        super().__init__(node, runtime)
        self._mesh = mesh
        self.registry = BlockingRegistry(node, runtime)
        """The node's registry."""

    @property
    def name(self) -> str:
        """Its name in the topology."""
        return self._node.name

    @property
    def collector_id(self) -> str:
        """Its collector id, which is its name."""
        return self._node.name

    @property
    def address(self) -> str:
        """Where it can be dialled; stays the same over restarts."""
        return self._node.address

    @property
    def url(self) -> str:
        """Where it can be dialled, with the scheme of what it speaks: `grpc`, `http` and so on."""
        return self._node.url

    @property
    def calls(self) -> Sequence[Mapping[str, object]] | None:
        """What reached it, where it is a peer that the harness plays, else None."""
        return self._node.calls

    @property
    def alive(self) -> bool:
        """Whether it runs, paused or not."""
        return self._node.alive

    @property
    def collector(self) -> Collector | None:
        """The collector itself where it runs in this process. It belongs to the mesh's loop:
        call its coroutines by `Runtime.run`.
        """
        return self._node.collector

    @property
    def client(self) -> NodeClient:
        """The asynchronous client, for the mesh's loop."""
        return self._node.client

    def statistics(self) -> Statistics | None:
        """What its collector counted; None where it does not run in this process."""
        return self._node.statistics()

    def logs(self) -> str:
        """What it wrote, escaped for a terminal; the last part of it where it is long."""
        return self._node.logs()

    dispatch = waiting(NodeClient.dispatch)
    serve = waiting(NodeClient.serve)
    connect = waiting(NodeClient.connect)
    register_service = waiting(NodeClient.register_service)
    validate = waiting(NodeClient.validate)
    health = waiting(NodeClient.health)
    call = waiting(NodeClient.call)
    call_raw = waiting(NodeClient.call_raw)

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self._runtime.run(self._mesh.kill(self.name))

    def pause(self) -> None:
        """Stops its process from doing anything."""
        self._runtime.run(self._mesh.pause(self.name))

    def resume(self) -> None:
        """Lets its paused process go on."""
        self._runtime.run(self._mesh.resume(self.name))

    def restart(self) -> None:
        """Starts it again on its address."""
        self._runtime.run(self._mesh.restart(self.name))

    def __repr__(self) -> str:
        return f"<node {self.name!r} at {self.address}>"
