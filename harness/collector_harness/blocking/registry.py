"""The registry of one node, for plain test functions."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from collector_harness.client import DEFAULT_TIMEOUT, MetadataInput, Reply
from collector_harness.mesh import MeshNode
from collector_harness.runtime import Runtime

__all__ = ["BlockingRegistry"]


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
