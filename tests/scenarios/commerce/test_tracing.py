"""One trace goes through the whole shop."""

from __future__ import annotations

from typing import Any

import pytest


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
