"""Stores that mistake one name for another, or lose sight of a shelf."""

from __future__ import annotations

import unicodedata

from collector_reference.errors import AlreadyRegistered
from collector_reference.registry.memory import MemoryStore


class AccentBlind(MemoryStore):
    """Compares what names look like."""

    def service(self, namespace, service_name):
        return super().service(namespace, unicodedata.normalize("NFC", service_name))


class RoundNumber(MemoryStore):
    """Looks through the first ten thousand."""

    def services(self, namespace):
        seen = list(super().services(None))[:10_000]
        return [record for record in seen if namespace in (None, record.namespace)]


class GlueStick(MemoryStore):
    """Keeps records under the joined text of namespace and name."""

    async def add_service(self, record):
        if any(other.message.id == record.message.id for other in self.services(None)):
            raise AlreadyRegistered(f"service '{record.message.id}' is already registered")
        await super().add_service(record)


class BlankSlate(MemoryStore):
    """Reads a service without methods as one with all of them."""

    def has_method(self, namespace, service_name, method):
        record = self.service(namespace, service_name)
        return record is not None and (not record.methods or method in record.methods)


class ShortSighted(MemoryStore):
    """Sees of a service's name what is behind the last dot."""

    def has_method(self, namespace, service_name, method):
        short = service_name.rpartition(".")[2]
        return any(
            record.service_name.rpartition(".")[2] == short and method in record.methods
            for record in self.services(namespace)
        )
