"""The shop for tests: real servers in this process, on databases of their own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
COMMERCE = ROOT / "scenarios" / "commerce"
sys.path[:0] = [str(COMMERCE), str(COMMERCE.parent)]
SECRET = "a secret of at least sixty-four bytes, because it signs by SHA-512 too"
NEEDED = ("alembic", "fastapi", "httpx", "simplejson", "sqlalchemy", "uvicorn")


def _lacking() -> list[str]:
    from importlib.util import find_spec

    return [name for name in NEEDED if find_spec(name) is None]


# The oldest dependencies that are promised are those of the harness, not of its samples.
collect_ignore_glob = ["test_*.py"] if _lacking() else []


@dataclass
class Shop:
    """A running shop, and a client of its gateway."""

    addresses: Any
    databases: tuple[str, str]
    http: Any
    sql: Callable[[int, str], list[tuple[Any, ...]]] = field(repr=False)

    async def user(self, email: str = "john@example.com") -> int:
        answer = await self.http.post("/users", json={"name": "John Doe", "email": email})
        assert answer.status_code == 201, answer.text
        return answer.json()["user"]["id"]

    async def order(self, user: int, key: str | None = None, price: str = "999.99") -> Any:
        body = '{"userId": %d, "items": [{"productName": "Laptop", "quantity": 1, "price": %s}]}'
        headers = {"content-type": "application/json"}
        if key is not None:
            headers["idempotency-key"] = key
        return await self.http.post("/orders", content=body % (user, price), headers=headers)

    def orders(self) -> int:
        return self.sql(1, "SELECT count(*) FROM orders")[0][0]


def ask(databases: tuple[str, str], which: int, statement: str) -> list[tuple[Any, ...]]:
    """Asks a database past the services."""
    from sqlalchemy import create_engine, text

    from shared_system.database import database_url

    engine = create_engine(database_url(databases[which]))
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


Starting = Callable[..., AbstractAsyncContextManager[Shop]]


@pytest.fixture
def shop(databases: tuple[str, str]) -> Starting:
    """Starts a shop: `async with shop(practices=...)`. Settings are those of the services."""
    import httpx

    from commerce_system.settings import ServiceSettings
    from commerce_system.system import whole_system

    @contextlib.asynccontextmanager
    async def started(where: tuple[str, str] = databases, **settings: Any) -> AsyncIterator[Shop]:
        chosen = ServiceSettings(jwt_secret=SECRET, grace_seconds=2, **settings)
        async with whole_system(chosen, where) as addresses:
            async with httpx.AsyncClient(
                base_url=f"http://{addresses.gateway}", timeout=20, trust_env=False
            ) as http:
                yield Shop(addresses, where, http, lambda which, text: ask(where, which, text))

    return started


@pytest.fixture
def token() -> Callable[..., str]:
    """Makes a token of the shop; claims replace those of a good one, and None leaves one out."""
    import jwt

    def made(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
        good = {"sub": "1", "aud": "commerce", "exp": int(time.time()) + 60, **claims}
        chosen = {key: value for key, value in good.items() if value is not None}
        return jwt.encode(chosen, secret, algorithm)

    return made


@pytest.fixture
def running() -> Callable[[Any], Any]:
    """Runs a coroutine to its end, bounded."""

    def run(coroutine: Any) -> Any:
        return asyncio.run(asyncio.wait_for(coroutine, 60))

    return run
