"""From what a setting names to the store itself; each is imported when it is first chosen."""

from __future__ import annotations

from datetime import timedelta

from collector_reference.registry.memory import MemoryStore
from collector_reference.registry.notation import EtcdRegistry, RegistryChoice, SqliteRegistry
from collector_reference.registry.store import RegistryStore

__all__ = ["make_store"]


def make_store(choice: RegistryChoice, *, limit: timedelta) -> RegistryStore:
    """Returns the store; `limit` bounds each question that goes over a network.

    Raises `StoreUnusable` for a file that cannot be used, and `MissingExtra` where a library of
    an extra is not installed.
    """
    if isinstance(choice, SqliteRegistry):
        from collector_reference.registry.sqlite import SqliteStore

        return SqliteStore(choice.path)
    if isinstance(choice, EtcdRegistry):
        from collector_reference.registry.etcd import EtcdStore

        return EtcdStore(choice, limit=limit)
    return MemoryStore()
