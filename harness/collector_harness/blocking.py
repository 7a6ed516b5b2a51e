"""Meshes for plain test functions: every call waits for its answer.

The mesh itself lives on the loop of a `Runtime`; nothing here is asynchronous, and
nothing here decides anything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from collector_harness.client import DEFAULT_TIMEOUT, MetadataInput, NodeClient, Reply
from collector_harness.faults.plan import NO_FAULTS, FaultPlan
from collector_harness.faults.values import Fault
from collector_harness.mesh import Mesh, MeshNode
from collector_harness.runtime import Runtime
from collector_harness.targets import Target
from collector_harness.topology.values import Topology
from collector_reference import Collector, Statistics

__all__ = ["BlockingMesh", "BlockingNode", "BlockingRegistry"]


class BlockingRegistry:
    """The registry of one node: `mesh["west"].registry`."""

    def __init__(self, node: MeshNode, runtime: Runtime) -> None:
        self._node = node
        self._runtime = runtime

    def register_service(
        self,
        namespace: str,
        service: str = "",
        methods: Iterable[str | MethodDescriptorProto] = (),
        *,
        descriptor: ServiceDescriptorProto | None = None,
        file: FileDescriptorProto | None = None,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Registers a service, by its name and methods or by a whole descriptor."""
        return self._runtime.run(
            self._node.client.register_service(
                namespace,
                service,
                methods,
                descriptor=descriptor,
                file=file,
                metadata=metadata,
                timeout=timeout,
            )
        )

    def register_proto(
        self,
        namespace: str,
        file: FileDescriptorProto | None,
        dependencies: Iterable[FileDescriptorProto] = (),
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Registers a file of message types."""
        return self._runtime.run(
            self._node.client.register_proto(
                namespace, file, dependencies, metadata=metadata, timeout=timeout
            )
        )

    def lookup_service(
        self,
        namespace: str,
        service: str,
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Finds a service."""
        return self._runtime.run(
            self._node.client.lookup_service(namespace, service, metadata=metadata, timeout=timeout)
        )

    def validate(
        self,
        namespace: str,
        service: str,
        method: str,
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Asks whether a method is registered."""
        return self._runtime.run(
            self._node.client.validate(
                namespace, service, method, metadata=metadata, timeout=timeout
            )
        )

    def list_services(
        self,
        namespace: str = "",
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Lists the services of a namespace, or of all."""
        return self._runtime.run(
            self._node.client.list_services(namespace, metadata=metadata, timeout=timeout)
        )


class BlockingNode:
    """One node of a running mesh. Calls return a `Reply`, also when they fail."""

    def __init__(self, mesh: Mesh, node: MeshNode, runtime: Runtime) -> None:
        self._mesh = mesh
        self._node = node
        self._runtime = runtime
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

    def dispatch(
        self,
        namespace: str,
        service: str,
        method: str,
        input: object = None,
        *,
        target: str = "",
        routing_hints: Mapping[str, str] | None = None,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Lets the node route a call; `input` is what `collector_harness.client.to_any` takes."""
        return self._runtime.run(
            self._node.client.dispatch(
                namespace,
                service,
                method,
                input,
                target=target,
                routing_hints=routing_hints,
                metadata=metadata,
                timeout=timeout,
            )
        )

    def serve(
        self,
        namespace: str,
        service: str,
        method: str,
        input: object = None,
        *,
        execution_context: Mapping[str, str] | None = None,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Lets the node execute a call itself."""
        return self._runtime.run(
            self._node.client.serve(
                namespace,
                service,
                method,
                input,
                execution_context=execution_context,
                metadata=metadata,
                timeout=timeout,
            )
        )

    def connect(
        self,
        collector_id: str,
        address: str,
        namespaces: Iterable[str] = (),
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Asks the node, as the collector of that id at that address, to join."""
        return self._runtime.run(
            self._node.client.connect(
                collector_id, address, namespaces, metadata=metadata, timeout=timeout
            )
        )

    def register_service(
        self,
        namespace: str,
        service: str = "",
        methods: Iterable[str | MethodDescriptorProto] = (),
        *,
        descriptor: ServiceDescriptorProto | None = None,
    ) -> Reply:
        """Registers a service in the node's registry; `registry` has the other ways."""
        return self.registry.register_service(namespace, service, methods, descriptor=descriptor)

    def validate(self, namespace: str, service: str, method: str) -> Reply:
        """Asks the node's registry whether a method is registered."""
        return self.registry.validate(namespace, service, method)

    def health(self, service: str = "", *, timeout: float | None = DEFAULT_TIMEOUT) -> Reply:
        """Asks the health service; the output is such as `{"status": "SERVING"}`."""
        return self._runtime.run(self._node.client.health(service, timeout=timeout))

    def call(
        self,
        full_method: str,
        request: object = None,
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Calls any method by its name, such as `collector.CollectorRegistry/ListServices`."""
        return self._runtime.run(
            self._node.client.call(full_method, request, metadata=metadata, timeout=timeout)
        )

    def call_raw(
        self,
        full_method: str,
        request: bytes,
        *,
        streaming: bool = False,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Calls any method with these bytes."""
        return self._runtime.run(
            self._node.client.call_raw(
                full_method, request, streaming=streaming, metadata=metadata, timeout=timeout
            )
        )

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


class BlockingMesh:
    """A running mesh: `mesh["west"].dispatch(...)`."""

    def __init__(self, mesh: Mesh, runtime: Runtime) -> None:
        self._mesh = mesh
        self._runtime = runtime
        self._nodes = {node.name: BlockingNode(mesh, node, runtime) for node in mesh}

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

    def __getitem__(self, name: str) -> BlockingNode:
        """Returns a node; raises `InvalidInput` with a did-you-mean."""
        return self._nodes[self._mesh[name].name]

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
