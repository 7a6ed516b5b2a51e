"""A store in a SQLite file: an acknowledged registration is on the disk.

Reads go to the file too, past a bounded cache, so that a million records cost neither
memory nor time at the start. Several collectors of one machine may share a file.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from collector_reference.errors import AlreadyRegistered, RestoreRefused, StoreUnavailable
from collector_reference.registry.group_commit import GroupCommit
from collector_reference.registry.layers import LayeredStore
from collector_reference.registry.sqlite_schema import connect, open_registry
from collector_reference.registry.store import Availability, ProtoRecord, ServiceRecord
from collector_reference.wire.registry_pb2 import RegisteredProto, RegisteredService

__all__ = ["SqliteStore"]

_MAX_CACHED = 10_000
_PAGE = 1_000

_ADD_SERVICE = """INSERT INTO services (namespace, service_name, message) VALUES (?, ?, ?)
    ON CONFLICT DO NOTHING"""
_ADD_PROTO = """INSERT INTO protos (namespace, file_name, message) VALUES (?, ?, ?)
    ON CONFLICT DO NOTHING"""
_SERVICE = "SELECT message FROM services WHERE namespace = ? AND service_name = ?"
_PROTO = "SELECT message FROM protos WHERE namespace = ? AND file_name = ?"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Checkpoint:
    """Rows are only ever added, so the last ids and the counts tell what there was."""

    own: object
    services: tuple[int, int]
    protos: tuple[int, int]


class SqliteStore(LayeredStore):
    """Records in one file. Open from the beginning; may be written from any loop."""

    def __init__(self, path: Path) -> None:
        """Raises `StoreUnusable` for a file that cannot be used, naming it and the remedy."""
        super().__init__()
        self._connection = open_registry(path)
        self._writer = GroupCommit(self._connection)
        self._reader = connect(path)
        self._reader.execute("PRAGMA query_only = 1")
        self._reading = threading.Lock()
        self._cache: dict[tuple[str, str], ServiceRecord] = {}
        self._changes = 0

    @property
    def generation(self) -> int:
        """Advances with every change that this collector makes to the services."""
        return self._own.generation + self._changes

    async def open(self, availability: Availability) -> None:
        """Nothing: the file is open from the beginning."""

    async def close(self) -> None:
        """Closes the file after what was asked for is written."""
        self._writer.close()
        with self._reading:
            self._reader.close()
        self._connection.close()

    async def add_service(self, record: ServiceRecord) -> None:
        """Stores it; raises `AlreadyRegistered` and changes nothing when its key is taken.

        Raises `StoreUnavailable` when the file cannot be written.
        """
        self._refuse_own(record)
        key = (record.namespace, record.service_name)
        if not await self._writer.insert(_ADD_SERVICE, (*key, record.message.SerializeToString())):
            raise AlreadyRegistered(f"service '{record.message.id}' is already registered")
        self._changes += 1

    async def add_proto(self, record: ProtoRecord) -> None:
        """Stores it; raises as `add_service` does."""
        key = (record.namespace, record.file_name)
        if not await self._writer.insert(_ADD_PROTO, (*key, record.message.SerializeToString())):
            raise AlreadyRegistered(f"proto '{record.message.id}' is already registered")

    def checkpoint(self) -> object:
        """Returns the present content, as a value that `restore` takes."""
        return _Checkpoint(
            own=self._own.checkpoint(),
            services=self._extent("services"),
            protos=self._extent("protos"),
        )

    def restore(self, checkpoint: object) -> None:
        """Puts the content of that checkpoint in the place of the present one.

        Also takes back what other collectors added to the file since. Raises `RestoreRefused`
        when records of the checkpoint are gone because an older one was restored meanwhile.
        """
        assert isinstance(checkpoint, _Checkpoint)
        with self._writer.lock:
            self._connection.execute("BEGIN IMMEDIATE")
            for table, (last, count) in (
                ("services", checkpoint.services),
                ("protos", checkpoint.protos),
            ):
                self._connection.execute(f"DELETE FROM {table} WHERE id > ?", (last,))  # noqa: S608
                if _extent(self._connection, table)[1] != count:
                    self._connection.execute("ROLLBACK")
                    raise RestoreRefused("an older checkpoint was restored since this one")
            self._connection.execute("COMMIT")
        self._cache.clear()
        self._own.restore(checkpoint.own)

    def _extent(self, table: str) -> tuple[int, int]:
        with self._reading:
            return _extent(self._reader, table)

    def _kept(self, namespace: str, service_name: str) -> ServiceRecord | None:
        key = (namespace, service_name)
        record = self._cache.get(key)
        if record is None:
            row = self._first(_SERVICE, key)
            if row is not None:
                record = _record(row)
                if len(self._cache) >= _MAX_CACHED:
                    self._cache.clear()
                self._cache[key] = record
        return record

    def _kept_proto(self, namespace: str, file_name: str) -> ProtoRecord | None:
        row = self._first(_PROTO, (namespace, file_name))
        if row is None:
            return None
        message = RegisteredProto.FromString(row)
        return ProtoRecord(namespace=namespace, file_name=file_name, message=message)

    def _kept_services(self, namespace: str | None) -> Collection[ServiceRecord]:
        return _Stored(self, namespace)

    def _first(self, query: str, key: tuple[str, str]) -> bytes | None:
        rows = self.rows(query, key)
        return rows[0][-1] if rows else None

    def rows(self, query: str, parameters: tuple[object, ...]) -> list[tuple[int, bytes]]:
        """Returns what a query finds; raises `StoreUnavailable`."""
        try:
            with self._reading:
                return self._reader.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the database cannot be read: {error}") from error


class _Stored(Collection[ServiceRecord]):
    """The records of a namespace, or of all, fetched page by page in the order of storing."""

    def __init__(self, store: SqliteStore, namespace: str | None) -> None:
        self._store = store
        self._where = "WHERE" if namespace is None else "WHERE namespace = ? AND"
        self._parameters = () if namespace is None else (namespace,)

    def __len__(self) -> int:
        query = f"SELECT count(*) FROM services {self._where} id > 0"  # noqa: S608 - no values
        return self._store.rows(query, self._parameters)[0][0]

    def __iter__(self) -> Iterator[ServiceRecord]:
        query = (
            f"SELECT id, message FROM services {self._where} id > ? "  # noqa: S608 - no values
            f"ORDER BY id LIMIT {_PAGE}"
        )
        last = 0
        # No page leaves a cursor open: the file's journal could not be taken in behind it.
        while rows := self._store.rows(query, (*self._parameters, last)):
            for _, message in rows:
                yield _record(message)
            last = rows[-1][0]

    def __contains__(self, record: object) -> bool:
        return any(record == other for other in self)


def _record(row: bytes) -> ServiceRecord:
    message = RegisteredService.FromString(row)
    return ServiceRecord(
        namespace=message.namespace,
        service_name=message.service_name,
        methods=frozenset(message.method_names),
        message=message,
    )


def _extent(connection: sqlite3.Connection, table: str) -> tuple[int, int]:
    query = f"SELECT coalesce(max(id), 0), count(*) FROM {table}"  # noqa: S608 - no values
    last, count = connection.execute(query).fetchone()
    return last, count
