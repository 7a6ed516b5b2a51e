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


def test_it_answers_as_documented(gateway: str, token: Any, documented: Any) -> None:
    assert documented(gateway, token, 15) == OPERATIONS
