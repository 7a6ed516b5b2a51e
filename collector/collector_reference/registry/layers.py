"""What a store that outlives its collector shows: what it keeps, and over it what the collector
declares itself.

The collector declares its own services anew at every start, so they are never kept: a file or
a cluster holds registrations alone, and no collector opens the port of another (VAL-006).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator

from collector_reference.errors import AlreadyRegistered
from collector_reference.registry.memory import MemoryStore
from collector_reference.registry.store import ProtoRecord, ServiceRecord, extended_record

__all__ = ["LayeredStore"]


class LayeredStore(ABC):
    """The reads of a `RegistryStore`, over two layers: the collector's own, and what is kept.

    Where both have a service, it has the methods of both, the kept ones first.
    """

    def __init__(self) -> None:
        self._own = MemoryStore()

    # What a store brings

    @abstractmethod
    def _kept(self, namespace: str, service_name: str) -> ServiceRecord | None: ...

    @abstractmethod
    def _kept_services(self, namespace: str | None) -> Collection[ServiceRecord]: ...

    @abstractmethod
    def _kept_proto(self, namespace: str, file_name: str) -> ProtoRecord | None: ...

    # What follows from it

    def declare(self, record: ServiceRecord) -> None:
        """Shows a record of the collector's own, in place of the one that it declared before."""
        self._own.declare(record)

    def declared(self) -> Collection[ServiceRecord]:
        """Returns what the collector declared itself."""
        return self._own.declared()

    def service(self, namespace: str, service_name: str) -> ServiceRecord | None:
        """Returns the record, or None."""
        own = self._own.service(namespace, service_name)
        kept = self._kept(namespace, service_name)
        if own is None or kept is None:
            return own or kept
        return kept if kept.methods >= own.methods else _both(kept, own)

    def has_method(self, namespace: str, service_name: str, method: str) -> bool:
        """Whether the service is stored and has that method."""
        if self._own.has_method(namespace, service_name, method):
            return True
        kept = self._kept(namespace, service_name)
        return kept is not None and method in kept.methods

    def services(self, namespace: str | None) -> Collection[ServiceRecord]:
        """Returns the records of a namespace, or of all: its own, then in the order of storing."""
        return _Listing(self, self._own.services(namespace), self._kept_services(namespace))

    def proto(self, namespace: str, file_name: str) -> ProtoRecord | None:
        """Returns the record, or None."""
        return self._kept_proto(namespace, file_name)

    def _refuse_own(self, record: ServiceRecord) -> None:
        """Raises `AlreadyRegistered` where the collector declares that service itself."""
        if self._own.service(record.namespace, record.service_name) is not None:
            raise AlreadyRegistered(f"service '{record.message.id}' is already registered")


class _Listing(Collection[ServiceRecord]):
    """Both layers in one list, read while it is gone through."""

    def __init__(
        self,
        store: LayeredStore,
        own: Collection[ServiceRecord],
        kept: Collection[ServiceRecord],
    ) -> None:
        self._store = store
        self._own = {(record.namespace, record.service_name): record for record in own}
        self._kept = kept

    def __len__(self) -> int:
        twice = sum(1 for key in self._own if self._store._kept(*key) is not None)
        return len(self._own) + len(self._kept) - twice

    def __iter__(self) -> Iterator[ServiceRecord]:
        for key, own in self._own.items():
            yield self._store.service(*key) or own
        for record in self._kept:
            if (record.namespace, record.service_name) not in self._own:
                yield record

    def __contains__(self, record: object) -> bool:
        return any(record == other for other in self)


def _both(kept: ServiceRecord, own: ServiceRecord) -> ServiceRecord:
    record = extended_record(kept, own.message.method_names)
    record.message.metadata.updated_at.CopyFrom(own.message.metadata.updated_at)
    return record
