"""What a collector executes, as its owner says it: handlers, implementations and backends.

This is the part of `Collector` that may be used before and after the start, and from any thread;
how a handler is run is in `dispatch/`, how a call is forwarded in `backends/`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorSet, ServiceDescriptorProto

from collector_reference.backends.values import BackendTls
from collector_reference.dispatch.handlers import Handler, HandlerTable
from collector_reference.errors import InvalidRecord
from collector_reference.registry.store import RegistryStore, declare_methods, service_record
from collector_reference.settings import CollectorSettings

if TYPE_CHECKING:
    from collector_reference.backends.forwarding import Backends

__all__ = ["Registration"]


class Registration:
    """The handlers of one collector and their records in its registry."""

    def __init__(
        self, settings: CollectorSettings, *, store: RegistryStore, handlers: HandlerTable
    ) -> None:
        self._settings = settings
        self._store = store
        self._handlers = handlers
        self._backends: Backends | None = None

    def register_service(
        self,
        namespace: str,
        service: str,
        method: str,
        handler: Handler,
        *,
        declare: bool = True,
        decode: bool = True,
    ) -> None:
        """Adds a handler, plain or async, `(input, context) -> output` (S1).

        With `declare` the method is also put into the collector's own record of that service.
        With `decode` False the handler gets the `Any` itself, never a Python value.
        Raises `TypeError` for a handler that cannot be called so, `InvalidRecord` for empty names.
        """
        if not (namespace and service and method):
            raise InvalidRecord("a handler needs the names of a namespace, a service and a method")
        self._handlers.add(namespace, service, method, handler, decode=decode)
        if declare:
            declare_methods(self._store, namespace, service, (method,))

    def add_implementation(self, namespace: str, implementation: object) -> None:
        """Registers every public method of a class or an object as a handler.

        The service is called as its attribute `service_name` says, else as the class. A class is
        instantiated now, and anew by `restore`. Raises `TypeError` when nothing can be served.
        """
        service, methods = self._handlers.add_implementation(namespace, implementation)
        declare_methods(self._store, namespace, service, methods)

    def declare_method(self, namespace: str, service: str, method: str) -> None:
        """Puts a method into the collector's own record of that service, without a handler."""
        declare_methods(self._store, namespace, service, (method,))

    async def register_descriptor(self, namespace: str, descriptor: ServiceDescriptorProto) -> None:
        """Puts a service that somebody else executes into the registry, as the RPC RegisterService
        does, without a call (REG-001).

        Raises `InvalidRecord`, `AlreadyRegistered` and `StoreUnavailable`; as the collector's owner
        it may write into every namespace. Only for the loop that started the collector.
        """
        await self._store.add_service(service_record(namespace, descriptor))

    async def add_backend(
        self,
        namespace: str,
        service: str,
        address: str,
        *,
        methods: Sequence[str] | None = None,
        descriptor_set: FileDescriptorSet | bytes | None = None,
        tls: BackendTls | None = None,
    ) -> tuple[str, ...]:
        """Has an ordinary gRPC server at the address execute a service of a namespace.

        `service` is its full name there. What it takes and gives is known by `descriptor_set`,
        with all that is imported, else the server is asked by reflection; `methods` are those to
        forward, all when None; `tls` is how it is dialled, None for plaintext. Returns
        their names. Raises `BackendUnusable`, also for a method that streams, which cannot be
        dispatched, and `SettingsError` for a file that cannot be read.
        """
        if not namespace:
            raise InvalidRecord("a backend needs the name of a namespace")
        if self._backends is None:
            from collector_reference.backends.forwarding import Backends

            self._backends = Backends(
                max_message_bytes=self._settings.max_message_bytes,
                forward_limit=self._settings.forward_limit.total_seconds(),
            )
        found = await self._backends.service(
            service,
            address,
            tls=tls,
            methods=methods,
            descriptor_set=descriptor_set,
            seconds=self._settings.ready_limit.total_seconds(),
        )
        for method in found.methods:
            self._handlers.add(
                namespace,
                service,
                method.name,
                self._backends.handler(method, address, tls),
                decode=False,
            )
        self._store.declare(service_record(namespace, found.descriptor))
        return tuple(method.name for method in found.methods)

    async def _add_backends(self) -> None:
        await asyncio.gather(
            *(
                self.add_backend(each.namespace, each.service, each.address, tls=each.tls)
                for each in self._settings.backends
            )
        )
