"""A store that keeps its records in this process, and forgets them with it."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

from collector_reference.errors import AlreadyRegistered
from collector_reference.registry.store import Availability, ProtoRecord, ServiceRecord

__all__ = ["MemoryStore"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Checkpoint:
    services: dict[str, dict[str, ServiceRecord]]
    protos: dict[tuple[str, str], ProtoRecord]


class MemoryStore:
    """Records in dictionaries: by namespace, then by name, so that no joined key can collide.

    May be written from any thread.
    """

    def __init__(self) -> None:
        self._services: dict[str, dict[str, ServiceRecord]] = {}
        self._protos: dict[tuple[str, str], ProtoRecord] = {}
        self._declared: dict[tuple[str, str], None] = {}
        self._generation = 0
        self._writing = threading.Lock()

    @property
    def generation(self) -> int:
        """Advances with every change to the services, never repeats."""
        return self._generation

    async def open(self, availability: Availability) -> None:
        """Nothing: it can always be written."""

    async def close(self) -> None:
        """Nothing."""

    async def add_service(self, record: ServiceRecord) -> None:
        """Stores it; raises `AlreadyRegistered` and changes nothing when its key is taken."""
        with self._writing:
            services = self._services.setdefault(record.namespace, {})
            if record.service_name in services:
                raise AlreadyRegistered(f"service '{record.message.id}' is already registered")
            services[record.service_name] = record
            self._generation += 1

    async def add_proto(self, record: ProtoRecord) -> None:
        """Stores it; raises `AlreadyRegistered` and changes nothing when its key is taken."""
        with self._writing:
            key = (record.namespace, record.file_name)
            if key in self._protos:
                raise AlreadyRegistered(f"proto '{record.message.id}' is already registered")
            self._protos[key] = record

    def declare(self, record: ServiceRecord) -> None:
        """Stores a record of the collector's own, in place of the one that is there."""
        with self._writing:
            self._services.setdefault(record.namespace, {})[record.service_name] = record
            self._declared[record.namespace, record.service_name] = None
            self._generation += 1

    def declared(self) -> Collection[ServiceRecord]:
        """Returns what was declared."""
        with self._writing:
            return [
                self._services[namespace][name]
                for namespace, name in self._declared
                if name in self._services.get(namespace, {})
            ]

    def service(self, namespace: str, service_name: str) -> ServiceRecord | None:
        """Returns the record, or None."""
        services = self._services.get(namespace)
        return services.get(service_name) if services else None

    def has_method(self, namespace: str, service_name: str, method: str) -> bool:
        """Whether the service is stored and has that method."""
        record = self.service(namespace, service_name)
        return record is not None and method in record.methods

    def services(self, namespace: str | None) -> Collection[ServiceRecord]:
        """Returns the records of a namespace, or of all, in the order they were stored in."""
        with self._writing:
            if namespace is not None:
                return list(self._services.get(namespace, {}).values())
            return [record for services in self._services.values() for record in services.values()]

    def proto(self, namespace: str, file_name: str) -> ProtoRecord | None:
        """Returns the record, or None."""
        return self._protos.get((namespace, file_name))

    def checkpoint(self) -> object:
        """Returns the present content, as a value that `restore` takes."""
        with self._writing:
            return _Checkpoint(
                services={name: dict(records) for name, records in self._services.items()},
                protos=dict(self._protos),
            )

    def restore(self, checkpoint: object) -> None:
        """Puts the content of that checkpoint in the place of the present one."""
        assert isinstance(checkpoint, _Checkpoint)
        with self._writing:
            self._services = {name: dict(records) for name, records in checkpoint.services.items()}
            self._protos = dict(checkpoint.protos)
            self._generation += 1
