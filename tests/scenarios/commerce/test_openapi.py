"""The gateway does what its OpenAPI says, for requests that schemathesis makes up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

OPERATIONS = 11


@pytest.fixture
def gateway(shop: Any) -> Iterator[str]:
    """A gateway on a loop of its own, because schemathesis blocks."""
    ready: Any = threading.Event()
    told: dict[str, Any] = {}

    async def serve() -> None:
        told["end"] = asyncio.Event()
        told["loop"] = asyncio.get_running_loop()
        async with shop() as it:
            told["address"] = it.addresses.gateway
            ready.set()
            await told["end"].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    yield f"http://{told['address']}"
    told["loop"].call_soon_threadsafe(told["end"].set)
    thread.join(30)


def test_it_answers_as_documented(gateway: str, token: Any) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    schema = schemathesis.openapi.from_url(f"{gateway}/openapi.json")
    seen = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        seen += 1

        @settings(
            max_examples=15,
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
    assert seen == OPERATIONS
