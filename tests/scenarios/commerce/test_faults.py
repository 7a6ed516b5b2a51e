"""What breaks in the middle of an order: no order is lost, none is made twice."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest


def test_a_slow_database_ends_an_order_in_time(shop: Any, running: Any) -> None:
    async def run() -> None:
        async with shop(request_limit_seconds=0.5) as it:
            user = await it.user()
            other = sqlite3.connect(it.databases[1].removeprefix("sqlite:"))
            other.execute("BEGIN IMMEDIATE")
            answer = await it.order(user, "k")
            assert answer.status_code == 504
            assert "in time" in answer.json()["error"]
            other.close()
            again = await it.order(user, "k")
            assert again.status_code in (201, 504)
            until = asyncio.get_running_loop().time() + 10
            while (await it.order(user, "k")).status_code != 201:
                assert asyncio.get_running_loop().time() < until
            assert it.orders() == 1

    running(run())


def test_a_slow_postgresql_ends_an_order_in_time(
    shop: Any, postgresql_databases: Any, running: Any
) -> None:
    import psycopg

    async def run() -> None:
        async with shop(postgresql_databases, request_limit_seconds=0.7) as it:
            user = await it.user()
            with psycopg.connect(it.databases[1]) as other:
                other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
                answer = await it.order(user, "k")
                assert answer.status_code == 504
                assert "in time" in answer.json()["error"]
            until = asyncio.get_running_loop().time() + 10
            while (await it.order(user, "k")).status_code != 201:
                assert asyncio.get_running_loop().time() < until
            assert it.orders() == 1

    running(run())


def test_a_connection_that_is_lost_in_mid_transaction_makes_one_order(
    shop: Any, postgresql_databases: Any, running: Any
) -> None:
    import psycopg

    async def run() -> None:
        async with shop(postgresql_databases, request_limit_seconds=20.0) as it:
            user = await it.user()
            watch = await psycopg.AsyncConnection.connect(it.databases[1], autocommit=True)
            lock = await psycopg.AsyncConnection.connect(it.databases[1])
            async with watch, lock:
                await lock.execute("LOCK TABLE order_items IN EXCLUSIVE MODE")
                ordering = asyncio.ensure_future(it.order(user, "k"))
                # The order itself is written, and its items wait: the transaction is half done.
                waiting = (
                    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND query LIKE 'INSERT INTO order_items%' AND datname = current_database()"
                )
                row = None
                while row is None:
                    assert not ordering.done()
                    row = await (await watch.execute(waiting)).fetchone()
                await watch.execute("SELECT pg_terminate_backend(%s)", row)
                await lock.rollback()
                answer = await ordering
            assert answer.status_code == 201, answer.text
            assert it.orders() == 1
            assert it.sql(1, "SELECT count(*) FROM order_items") == [(1,)]

    running(run())


def test_one_trace_goes_from_rest_to_the_databases(
    shop: Any, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="spans need opentelemetry-sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from shared_system import tracing

    seen = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    # The provider of a process can be set only once: this one is this test's.
    monkeypatch.setattr(tracing.trace, "get_tracer", provider.get_tracer)
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"

    async def run() -> None:
        async with shop() as it:
            user = await it.user()
            seen.clear()
            body = {"userId": user, "items": [{"productName": "x", "quantity": 1, "price": 1}]}
            await it.http.post(
                "/orders", json=body, headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
            )

    running(run())
    spans = seen.get_finished_spans()
    assert {f"{span.context.trace_id:032x}" for span in spans} == {trace_id}
    assert [span.name for span in spans if span.name.startswith(("POST", "/", "database"))] == [
        "database select order by key",
        "database select user",
        "/commerce.v1.UserService/ValidateUser",
        "database insert order",
        "/commerce.v1.OrderService/CreateOrder",
        "POST /orders",
    ]
