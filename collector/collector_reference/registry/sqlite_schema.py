"""The registry's file: opened, told from other files, brought to the newest schema.

What is read from it and written into it is the store's business.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from collector_reference.errors import StoreUnusable

__all__ = ["APPLICATION_ID", "MIGRATIONS", "connect", "open_registry"]

APPLICATION_ID = 0x434F4C31
"""In the header of the file, so that it is told from any other database."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE services (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            namespace TEXT NOT NULL,
            service_name TEXT NOT NULL,
            message BLOB NOT NULL,
            UNIQUE (namespace, service_name)
        )""",
        """CREATE TABLE protos (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            namespace TEXT NOT NULL,
            file_name TEXT NOT NULL,
            message BLOB NOT NULL,
            UNIQUE (namespace, file_name)
        )""",
    ),
    # Without it, listing a namespace in the order of storing sorts all of it first.
    ("CREATE INDEX services_in_order ON services (namespace, id)",),
)
"""The statements that lead from each schema to the next; the file's `user_version` counts them."""

_OTHER = "name another file, or move this one away to begin with an empty registry"
_BUSY_SECONDS = 5.0


def connect(path: Path) -> sqlite3.Connection:
    """Returns a connection in autocommit mode, for any thread; raises `sqlite3.Error`.

    WAL with synchronous FULL: a commit is flushed to the disk before it returns.
    """
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def open_registry(path: Path) -> sqlite3.Connection:
    """Returns a connection to the file, made where there is none, with the newest schema.

    Raises `StoreUnusable` for a file that is corrupt, foreign, newer, or cannot be written.
    """
    _refuse_unwritable(path)
    try:
        connection = connect(path)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    return connection


def _refuse_unwritable(path: Path) -> None:
    # SQLite would say "unable to open database file" for all of these.
    folder = path.parent
    if not folder.is_dir():
        raise StoreUnusable(path, f"there is no folder {folder}", "make it, or name another file")
    if path.is_dir():
        raise StoreUnusable(path, "it is a folder", "name a file in it")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise StoreUnusable(
            path, "it is read-only for this user", "make it writable, or name another file"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreUnusable(
            path,
            "its folder is read-only for this user, and the journal is written beside it",
            "make the folder writable, or name another file",
        )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    application, tables = _identity(connection)
    if application != APPLICATION_ID and (application or tables):
        raise StoreUnusable(path, "it is a database of another program", _OTHER)
    damage = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if damage != ["ok"]:
        raise StoreUnusable(
            path,
            f"it is damaged ({' '.join(damage[0].split())})",
            f"restore a copy of it, or {_OTHER}",
        )
    connection.execute("PRAGMA journal_mode = WAL")
    # Another collector may be doing the same: who comes second finds nothing left to do.
    connection.execute("BEGIN IMMEDIATE")
    try:
        _migrate(connection, path)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _identity(connection: sqlite3.Connection) -> tuple[int, int]:
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return application, tables


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreUnusable(
            path,
            f"its schema is number {version}, and this collector knows {len(MIGRATIONS)}",
            "use the newer collector that made it, or name another file",
        )
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _unusable(path: Path, error: sqlite3.Error) -> StoreUnusable:
    text = str(error)
    if "not a database" in text:
        return StoreUnusable(path, "it is not a database", _OTHER)
    if "malformed" in text:
        return StoreUnusable(path, f"it is damaged ({text})", f"restore a copy of it, or {_OTHER}")
    if "readonly" in text:
        return StoreUnusable(
            path, "it is read-only", "make it and its folder writable, or name another file"
        )
    if "locked" in text:
        return StoreUnusable(path, "another program holds it locked", "end that program first")
    return StoreUnusable(path, text, "check the path, its permissions and the disk")
