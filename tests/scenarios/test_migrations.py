"""What migrations make is what the services expect, on both databases, from nothing and from an
older version, and with several instances at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("alembic", "fastapi", "sqlalchemy")),
    reason="the oldest dependencies are those of the harness, not of its samples",
)

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SERVICES = {
    "commerce_system.users": "commerce",
    "commerce_system.orders": "commerce",
    "identity_system.auth": "identity",
    "identity_system.user": "identity",
}
OLD_ORDER = (
    "INSERT INTO orders (user_id, user_name, user_email, total_minor, status, created_at)"
    " VALUES (7, 'J', 'j@example.com', 100, 'PENDING', '2025-12-30 10:00:00')"
)


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("commerce", "identity", ""):
        monkeypatch.syspath_prepend(SCENARIOS / folder)


@pytest.fixture
def engine(each_database: tuple[str, str]) -> Any:
    from sqlalchemy import create_engine

    from shared_system.database import database_url

    made = create_engine(database_url(each_database[0]))
    yield made
    made.dispose()


def migrations(service: str) -> Path:
    sample, _, name = service.partition(".")
    return SCENARIOS / SERVICES[service] / sample / name / "migrations"


def moved(engine: Any, service: str, how: Callable[..., None], revision: str) -> None:
    """Goes up or down to a revision."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations(service)))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        how(config, revision)


def tables(engine: Any) -> set[str]:
    from sqlalchemy import inspect

    return set(inspect(engine).get_table_names()) - {"alembic_version"}


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_make_what_the_models_say(engine: Any, service: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from shared_system.migrating import bring_up_to_date

    bring_up_to_date(engine, migrations(service))
    metadata = importlib.import_module(f"{service}.model").Base.metadata
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert tables(engine) == set(metadata.tables)


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_go_back_to_nothing_and_up_again(engine: Any, service: str) -> None:
    from alembic import command

    for _ in range(2):
        moved(engine, service, command.upgrade, "head")
        assert tables(engine)
        moved(engine, service, command.downgrade, "base")
        assert tables(engine) == set()


def test_orders_from_before_keys_are_kept_and_have_one_each(engine: Any) -> None:
    from alembic import command
    from sqlalchemy import text

    moved(engine, "commerce_system.orders", command.upgrade, "0001")
    with engine.begin() as connection:
        for _ in range(2):
            connection.execute(text(OLD_ORDER))
    moved(engine, "commerce_system.orders", command.upgrade, "head")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, total_minor, idempotency_key FROM orders"))
        assert sorted(map(tuple, rows)) == [(1, 100, "before 1"), (2, 100, "before 2")]


def test_instances_that_start_at_once_migrate_once(each_database: tuple[str, str]) -> None:
    from shared_system.database import Database

    where = migrations("commerce_system.orders")
    instances = [Database(each_database[0], where) for _ in range(4)]
    try:
        with ThreadPoolExecutor(len(instances)) as threads:
            for done in [threads.submit(each.migrate_here) for each in instances]:
                done.result()
        assert all(each.is_well_here() for each in instances)
    finally:
        for each in instances:
            each.close_here()
