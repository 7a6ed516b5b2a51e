"""What is known here of the records in etcd: keys and values in, records out. No I/O.

A record is kept as the bytes that it is stored as, a fraction of what it takes as messages, and
read when it is asked for. A value begins with bytes that no other value begins with, so that who
wrote it knows it again.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Collection, Iterator, Sequence
from urllib.parse import quote, unquote_to_bytes

from google.protobuf.message import DecodeError

from collector_reference.registry.etcd_client import Change, Entry
from collector_reference.registry.store import ProtoRecord, ServiceRecord
from collector_reference.wire.registry_pb2 import RegisteredProto, RegisteredService

__all__ = ["EtcdIndex"]

_LOG = logging.getLogger(__name__)

_MARK = 16
_MAX_READ = 10_000
"""Records that are kept as messages, too."""
_BETWEEN_BREATHS = 2_000
"""Entries after which everything else on the loop gets a turn."""

Key = tuple[str, str]


class EtcdIndex:
    """The records below a prefix."""

    def __init__(self, prefix: str) -> None:
        self.services_prefix = f"{prefix}/services/".encode()
        self.protos_prefix = f"{prefix}/protos/".encode()
        self._services: dict[str, dict[str, bytes]] = {}
        self._protos: dict[Key, bytes] = {}
        self._read: dict[Key, ServiceRecord] = {}
        self.generation = 0
        """Advances with every change to the services."""

    def service_entry(self, record: ServiceRecord) -> tuple[bytes, bytes]:
        """Returns the key and a value, of which no other is like it."""
        return _key(self.services_prefix, record.namespace, record.service_name), _marked(
            record.message
        )

    def proto_entry(self, record: ProtoRecord) -> tuple[bytes, bytes]:
        """Returns the key and a value, of which no other is like it."""
        return _key(self.protos_prefix, record.namespace, record.file_name), _marked(record.message)

    def service(self, namespace: str, service_name: str) -> ServiceRecord | None:
        """Returns the record, or None."""
        key = (namespace, service_name)
        record = self._read.get(key)
        if record is None:
            value = self._services.get(namespace, {}).get(service_name)
            if value is None:
                return None
            record = _service(value)
            if len(self._read) >= _MAX_READ:
                self._read.clear()
            self._read[key] = record
        return record

    def services(self, namespace: str | None) -> Collection[ServiceRecord]:
        """Returns the records of a namespace, or of all, as they are now."""
        if namespace is not None:
            return _Records(list(self._services.get(namespace, {}).values()))
        return _Records([value for each in self._services.values() for value in each.values()])

    def proto(self, namespace: str, file_name: str) -> ProtoRecord | None:
        """Returns the record, or None."""
        value = self._protos.get((namespace, file_name))
        if value is None:
            return None
        message = RegisteredProto.FromString(value[_MARK:])
        return ProtoRecord(namespace=namespace, file_name=file_name, message=message)

    async def replace(self, entries: list[Entry]) -> None:
        """Puts these in the place of all that was known, which is what is seen until then.

        Takes the list apart as it goes, so that a million records are not in memory twice.
        """
        fresh = EtcdIndex("")
        fresh.services_prefix, fresh.protos_prefix = self.services_prefix, self.protos_prefix
        entries.reverse()
        while entries:
            for _ in range(min(len(entries), _BETWEEN_BREATHS)):
                entry = entries.pop()
                fresh.apply(Change(key=entry.key, entry=entry))
            await asyncio.sleep(0)
        self._services, self._protos = fresh._services, fresh._protos
        self._read.clear()
        self.generation += 1

    def apply(self, change: Change) -> None:
        """Takes over one change; what is not ours, or cannot be read, is left out."""
        found = self._parts(change)
        if found is None:
            return
        of_services, (namespace, name) = found
        if of_services:
            self.generation += 1
            self._read.pop((namespace, name), None)
            if change.entry is not None:
                self._services.setdefault(namespace, {})[name] = change.entry.value
            elif namespace in self._services:
                self._services[namespace].pop(name, None)
                if not self._services[namespace]:
                    del self._services[namespace]
        elif change.entry is not None:
            self._protos[namespace, name] = change.entry.value
        else:
            self._protos.pop((namespace, name), None)

    def _parts(self, change: Change) -> tuple[bool, Key] | None:
        """Returns whether it is about a service, and namespace and name.

        None for a key that is none of ours, and with a line in the log for one that holds something
        else: whoever wrote it must not keep this collector from what others register.
        """
        of_services = change.key.startswith(self.services_prefix)
        prefix = self.services_prefix if of_services else self.protos_prefix
        if not change.key.startswith(prefix):
            return None
        namespace, _, name = change.key[len(prefix) :].partition(b"/")
        try:
            key = (unquote_to_bytes(namespace).decode(), unquote_to_bytes(name).decode())
            value = None if change.entry is None else change.entry.value
            if value is None or _belongs(value, key, of_services=of_services):
                return of_services, key
        except (UnicodeDecodeError, DecodeError):
            pass
        _LOG.warning("the key %r in etcd holds no record, and is left out", change.key)
        return None


class _Records(Collection[ServiceRecord]):
    """Records that are read while they are gone through."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[ServiceRecord]:
        return map(_service, self._values)

    def __contains__(self, record: object) -> bool:
        return any(record == other for other in self)


def _service(value: bytes) -> ServiceRecord:
    message = RegisteredService.FromString(value[_MARK:])
    return ServiceRecord(
        namespace=message.namespace,
        service_name=message.service_name,
        methods=frozenset(message.method_names),
        message=message,
    )


def _belongs(value: bytes, key: Key, *, of_services: bool) -> bool:
    """Whether a value is the record that its key names; raises `DecodeError` for no record."""
    namespace, name = key
    if of_services:
        service = RegisteredService.FromString(value[_MARK:])
        return service.namespace == namespace and service.service_name == name
    proto = RegisteredProto.FromString(value[_MARK:])
    return proto.namespace == namespace and proto.file_descriptor.name == name


def _key(prefix: bytes, namespace: str, name: str) -> bytes:
    # Escaped, so that no two pairs are one key (REG-013).
    return prefix + f"{quote(namespace, safe='')}/{quote(name, safe='')}".encode()


def _marked(message: RegisteredService | RegisteredProto) -> bytes:
    return uuid.uuid4().bytes + message.SerializeToString()
