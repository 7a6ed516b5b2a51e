"""A service's own database: SQLite in a file, or PostgreSQL, with the same code on top.

A transaction blocks its thread. Services on an event loop have theirs run in threads: the driver
of SQLite blocks anyway, transactions are short, and a transaction in a thread is never torn in
two by a caller that gives up: it ends either way.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import grpc
from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from shared_system import errand, logs, tracing
from shared_system.failures import Failure
from shared_system.migrating import bring_up_to_date

__all__ = ["Database", "database_url"]

_LOG = logging.getLogger(__name__)
_Result = TypeVar("_Result")
_LONGEST_SECONDS = 5.0
_UNBOUNDED_SECONDS = 3600.0
_THREADS = 8


def database_url(notation: str) -> URL:
    """Reads `sqlite:PATH`, `sqlite:///PATH`, `postgresql://...`, or `memory`, which is gone with
    the process. Raises `ValueError`.
    """
    if notation == "memory":
        return URL.create("sqlite", database=":memory:")
    scheme, _, rest = notation.partition(":")
    if scheme == "sqlite" and rest:
        path = rest.removeprefix("//").removeprefix("/") if rest.startswith("///") else rest
        return URL.create("sqlite", database=path)
    if scheme in ("postgresql", "postgres"):
        try:
            return make_url(notation).set(drivername="postgresql+psycopg")
        except ArgumentError as error:
            raise ValueError(f"{scheme}: the address of the database cannot be read") from error
    raise ValueError("a database is sqlite:PATH, postgresql://... or memory")


class Database:
    """One database. `migrations` is the folder of its alembic scripts."""

    def __init__(self, notation: str, migrations: Path, *, bounded: bool = True) -> None:
        """Without `bounded` statements wait as long as it takes. Raises `ValueError`."""
        self._migrations = migrations
        self._bounded = bounded
        self._engine = _engine(database_url(notation))
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="database")

    async def migrate(self) -> None:
        """Brings the schema up to date. Several instances may do so at once."""
        await self._in_thread(self.migrate_here)

    def migrate_here(self) -> None:
        """Does what `migrate` does, in this thread."""
        bring_up_to_date(self._engine, self._migrations)

    async def write(self, name: str, work: Callable[[Session], _Result]) -> _Result:
        """Runs `work` in one transaction, which is committed when it returns. `name` tells the
        span. Raises `IntegrityError`, and `Failure` for a database that is away, slow or broken.
        """
        return await self._in_thread(lambda: self.transaction(name, work, writes=True))

    async def read(self, name: str, work: Callable[[Session], _Result]) -> _Result:
        """Runs `work`, which only reads, in one transaction. Raises as `write` does."""
        return await self._in_thread(lambda: self.transaction(name, work, writes=False))

    def transaction(
        self, name: str, work: Callable[[Session], _Result], *, writes: bool
    ) -> _Result:
        """Does what `write` and `read` do, in this thread."""
        left = errand.remaining()
        limit = _LONGEST_SECONDS if left is None else min(left, _LONGEST_SECONDS)
        until = time.monotonic() + (limit if self._bounded else _UNBOUNDED_SECONDS)
        try:
            with tracing.span(f"database {name}"):
                connection = self._engine.connect().execution_options(writes=writes, until=until)
                with connection, Session(bind=connection) as session, session.begin():
                    result = work(session)
                    session.flush()
                    if time.monotonic() > until:
                        # Nobody waits for this any more: it must not look as if it had failed.
                        raise _slow()
                    return result
        except IntegrityError:
            raise
        except (DBAPIError, NoConnection) as error:
            raise _failure(error, late=time.monotonic() >= until) from error

    async def is_well(self) -> bool:
        """Says whether the database answers."""
        return await self._in_thread(self.is_well_here)

    def is_well_here(self) -> bool:
        """Does what `is_well` does, in this thread."""
        try:
            self.transaction(
                "ask", lambda session: session.execute(text("SELECT 1")).scalar_one(), writes=False
            )
        except Failure:
            return False
        return True

    async def close(self) -> None:
        """Waits for what runs, and closes the connections."""
        await asyncio.get_running_loop().run_in_executor(None, self.close_here)

    def close_here(self) -> None:
        """Does what `close` does, in this thread."""
        self._threads.shutdown()
        self._engine.dispose()

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: context.run(work)
        )


def _failure(error: Exception, *, late: bool) -> Failure:
    _LOG.warning(
        logs.line(
            "database", error=str(error).splitlines()[0], correlation_id=errand.correlation_id()
        )
    )
    kind = type(getattr(error, "orig", error)).__name__
    if late or kind in ("QueryCanceled", "LockNotAvailable") or "locked" in str(error):
        return _slow()
    if isinstance(error, (OperationalError, NoConnection)):
        return Failure(grpc.StatusCode.UNAVAILABLE, "the database cannot be reached", passing=True)
    return Failure(grpc.StatusCode.INTERNAL, "database error")


def _slow() -> Failure:
    return Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "the database did not answer in time")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        # A database in memory is that of one connection, which all threads use in turn.
        in_memory = url.database == ":memory:"
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=1 if in_memory else _THREADS,
            max_overflow=0 if in_memory else 10,
            pool_timeout=_LONGEST_SECONDS,
            connect_args={"check_same_thread": False},
        )
        event.listen(engine, "connect", _sqlite_connected)
        event.listen(engine, "begin", _sqlite_begins)
    else:
        engine = create_engine(
            url,
            pool_size=_THREADS,
            pool_timeout=_LONGEST_SECONDS,
            pool_pre_ping=True,
            connect_args={"connect_timeout": int(_LONGEST_SECONDS)},
        )
        event.listen(engine, "begin", _postgresql_begins)
    return engine


def _sqlite_connected(connection: DBAPIConnection, _record: object) -> None:
    # Transactions are begun by us: the driver's own habit begins none for a SELECT.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begins(connection: Connection) -> None:
    options = connection.get_execution_options()
    wait = _milliseconds(options.get("until"))
    connection.exec_driver_sql(f"PRAGMA busy_timeout={wait}")
    # Who means to write says so at once: two readers that both turn writers would deadlock.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")


def _postgresql_begins(connection: Connection) -> None:
    wait = _milliseconds(connection.get_execution_options().get("until"))
    connection.exec_driver_sql(f"SET LOCAL statement_timeout={wait}")


def _milliseconds(until: float | None) -> int:
    left = _LONGEST_SECONDS if until is None else until - time.monotonic()
    return max(1, int(left * 1000))
