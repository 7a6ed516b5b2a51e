"""What is known here of the records in etcd: keys and values in, records out. No I/O.

A value begins with bytes that no other value begins with, so that who wrote it knows it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from urllib.parse import quote, unquote

from collector_reference.registry.etcd_client import Change, Entry
from collector_reference.registry.store import ProtoRecord, ServiceRecord
from collector_reference.wire.registry_pb2 import RegisteredProto, RegisteredService

__all__ = ["EtcdIndex"]

_MARK = 16

Key = tuple[str, str]


class EtcdIndex:
    """The records below a prefix."""

    def __init__(self, prefix: str) -> None:
        self.services_prefix = f"{prefix}/services/".encode()
        self.protos_prefix = f"{prefix}/protos/".encode()
        self._services: dict[str, dict[str, ServiceRecord]] = {}
        self._protos: dict[Key, ProtoRecord] = {}
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
        return self._services.get(namespace, {}).get(service_name)

    def services(self, namespace: str | None) -> Collection[ServiceRecord]:
        """Returns the records of a namespace, or of all."""
        if namespace is not None:
            return list(self._services.get(namespace, {}).values())
        return [record for services in self._services.values() for record in services.values()]

    def proto(self, namespace: str, file_name: str) -> ProtoRecord | None:
        """Returns the record, or None."""
        return self._protos.get((namespace, file_name))

    def replace(self, entries: Iterable[Entry]) -> None:
        """Puts these in the place of all that was known."""
        self._services.clear()
        self._protos.clear()
        self.generation += 1
        for entry in entries:
            self.apply(Change(key=entry.key, entry=entry))

    def apply(self, change: Change) -> None:
        """Takes over one change; a key that is none of ours is left out."""
        if change.key.startswith(self.services_prefix):
            namespace, name = _parts(change.key, self.services_prefix)
            self.generation += 1
            if change.entry is None:
                self._services.get(namespace, {}).pop(name, None)
            else:
                message = RegisteredService.FromString(change.entry.value[_MARK:])
                self._services.setdefault(namespace, {})[name] = ServiceRecord(
                    namespace=namespace,
                    service_name=name,
                    methods=frozenset(message.method_names),
                    message=message,
                )
        elif change.key.startswith(self.protos_prefix):
            namespace, name = _parts(change.key, self.protos_prefix)
            if change.entry is None:
                self._protos.pop((namespace, name), None)
            else:
                proto = RegisteredProto.FromString(change.entry.value[_MARK:])
                self._protos[namespace, name] = ProtoRecord(
                    namespace=namespace, file_name=name, message=proto
                )


def _key(prefix: bytes, namespace: str, name: str) -> bytes:
    # Escaped, so that no two pairs are one key (REG-013).
    return prefix + f"{quote(namespace, safe='')}/{quote(name, safe='')}".encode()


def _parts(key: bytes, prefix: bytes) -> Key:
    namespace, _, name = key[len(prefix) :].decode().partition("/")
    return unquote(namespace), unquote(name)


def _marked(message: RegisteredService | RegisteredProto) -> bytes:
    return uuid.uuid4().bytes + message.SerializeToString()
