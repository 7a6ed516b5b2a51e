"""The step that asks a database (the extra `sql`): one statement, in a transaction of its own.

A statement that goes well is committed: scenarios set up what they need by it, as tests do, and
a fresh database is their service's own. One that fails changes nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import math
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem
from collector_harness.mesh import MeshService
from collector_harness.scenario.model import SqlStep
from collector_harness.scenario.steps.base import Answer, Place

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

__all__ = ["MOST_ROWS", "as_value", "sql"]

MOST_ROWS = 10_000
"""Rows that are taken of one statement."""

_MOST_CHARACTERS = 64 * 1024 * 1024
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


async def sql(step: SqlStep, at: Place) -> Answer:
    """Does the statement; one that the database refuses is an answer with an `error`."""
    name, written = _database(step, at)
    statement, limit = at.scope.text(step.query), at.deadline(step)
    parameters = at.scope.fill(step.parameters or {})
    assert isinstance(parameters, dict)
    begin = time.perf_counter()
    asked = _Asked(written, folder=at.library.document.folder, limit=limit)
    work = asyncio.ensure_future(asyncio.to_thread(asked.do, statement, parameters))
    try:
        values = await asyncio.wait_for(asyncio.shield(work), limit)
    except TimeoutError:
        values = {"rows": None, "count": None, "error": f"no answer within {limit:g}s"}
    finally:
        if not work.done():
            # The thread ends once the database lets go of the statement, and nobody asks how.
            work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            asked.stop()
            await asyncio.wait([work], timeout=5)
    seconds = time.perf_counter() - begin
    return Answer(values={**values, "seconds": seconds}, route=(name,), seconds=seconds)


def _database(step: SqlStep, at: Place) -> tuple[str, str]:
    """Returns what is asked by its name, and the URL of the database."""
    via = step.via if step.via is not None else at.defaults.via
    text = "" if via is None else at.scope.text(via)
    if ":" in text:
        return text.partition(":")[0], text
    if via is None:
        having = [each for each in at.mesh.services.values() if each.service.database]
        if len(having) == 1:
            return having[0].name, having[0].database_url
        raise InvalidInput(
            Problem(message="the step does not say which database to ask", hint="add via: ...")
        )
    part = at.mesh[text]
    if not isinstance(part, MeshService):
        raise InvalidInput(
            Problem(
                message=f"'{text}' is a node, which has no database",
                hint="name a service with `database`, or write the URL of one",
            )
        )
    return part.name, part.database_url


class _Asked:
    """One statement, in a thread; `stop` may be called from another."""

    def __init__(self, written: str, *, folder: Path | None, limit: float | None) -> None:
        self._written = written
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        self._stopped = False
        self._connection: Any = None

    def do(self, statement: str, parameters: Mapping[str, object]) -> dict[str, object]:
        try:
            import sqlalchemy
            from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
            from sqlalchemy.pool import NullPool
        except ImportError as error:
            raise EnvironmentLacks(_EXTRA.format("SQLAlchemy")) from error
        try:
            engine = sqlalchemy.create_engine(self._url(), poolclass=NullPool)
        except (ArgumentError, NoSuchModuleError) as error:
            raise InvalidInput(
                Problem(
                    message=f"this is not the URL of a database: {error}",
                    hint="write sqlite:FILE or postgresql://USER:PASSWORD@HOST/NAME",
                )
            ) from error
        except ImportError as error:
            raise EnvironmentLacks(_EXTRA.format(error.name or "a driver")) from error
        try:
            with engine.begin() as connection:
                with self._lock:
                    self._connection = connection.connection.driver_connection
                    if self._stopped:
                        raise TimeoutError
                return self._done(connection, sqlalchemy.text(statement), parameters)
        except SQLAlchemyError as error:
            told = str(getattr(error, "orig", None) or error).strip()
            return {"rows": None, "count": None, "error": told[:2000]}
        finally:
            engine.dispose()

    def stop(self) -> None:
        """Lets the database end the statement."""
        with self._lock:
            self._stopped = True
            end = getattr(self._connection, "interrupt", None) or getattr(
                self._connection, "cancel", None
            )
        if end is not None:
            end()

    def _done(
        self, connection: Connection, statement: Any, parameters: Mapping[str, object]
    ) -> dict[str, object]:
        result = connection.execute(statement, dict(parameters))
        if not result.returns_rows:
            return {"rows": [], "count": max(result.rowcount, 0), "error": None}
        rows: list[dict[str, object]] = []
        size = 0
        for row in result.mappings():
            values = {str(key): as_value(value) for key, value in row.items()}
            size += sum(len(each) for each in values.values() if isinstance(each, str | bytes))
            if len(rows) >= MOST_ROWS or size > _MOST_CHARACTERS:
                raise InvalidInput(
                    Problem(
                        message=f"the statement has more rows than the {MOST_ROWS:,} that are read",
                        hint="narrow it, or let the database count",
                    )
                )
            rows.append(values)
        return {"rows": rows, "count": len(rows), "error": None}

    def _url(self) -> URL:
        from sqlalchemy.engine import make_url

        written = self._written
        if written.startswith("sqlite:") and not written.startswith("sqlite://"):
            file = Path(written.removeprefix("sqlite:"))
            written = f"sqlite:///{file if file.is_absolute() else (self._folder or Path()) / file}"
        url = make_url(written)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
            # SQLite would make an empty one, and then tell of missing tables.
            raise InvalidInput(Problem(message=f"there is no database file '{url.database}'"))
        return url


_EXTRA = "an `sql` step needs {}, which is part of an extra: pip install 'collector-harness[sql]'"


def as_value(value: object) -> object:
    """Returns a value of a row as the YAML of a scenario has it: a decimal as a number where that
    is exact, and else as text; times and dates as ISO 8601; durations as seconds.
    """
    match value:
        case None | bool() | int() | str() | bytes():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case decimal.Decimal():
            return _number(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return value.total_seconds()
        case memoryview() | bytearray():
            return bytes(value)
        case uuid.UUID():
            return str(value)
        case dict():
            return {str(key): as_value(item) for key, item in value.items()}
        case list() | tuple() | set():
            return [as_value(item) for item in value]
        case _:
            return str(value)


def _number(value: decimal.Decimal) -> object:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and abs(value.adjusted()) < 30:
        return int(value)
    number = float(value)
    return number if decimal.Decimal(repr(number)) == value else str(value)
