"""Somebody else at a database: holds a table until told to let go, so that who wants to write
there has to wait. An ASGI application.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from fastapi import Body, FastAPI
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from shared_system.database import database_url

__all__ = ["app"]

app = FastAPI()
_held: list[Connection] = []


@app.post("/locks", status_code=201)
def lock(database: Annotated[str, Body()], table: Annotated[str, Body()]) -> dict[str, Any]:
    """Lets nobody else write to the table; of SQLite, to any of the database."""
    url = database_url(database)
    connection = create_engine(url, poolclass=NullPool).connect()
    if url.get_backend_name() == "sqlite":
        connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f'LOCK TABLE "{table}" IN EXCLUSIVE MODE')
    _held.append(connection)
    return {"locked": table}


@app.delete("/locks", status_code=204)
def let_go() -> None:
    """Lets go of everything."""
    while _held:
        _held.pop().close()
