"""One node of a running mesh, for plain test functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from google.protobuf.descriptor_pb2 import MethodDescriptorProto, ServiceDescriptorProto

from collector_harness.blocking.registry import BlockingRegistry
from collector_harness.client import DEFAULT_TIMEOUT, MetadataInput, NodeClient, Reply
from collector_harness.mesh import Mesh, MeshNode
from collector_harness.runtime import Runtime
from collector_reference import Collector, Statistics

__all__ = ["BlockingNode"]


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
