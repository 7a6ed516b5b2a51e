"""The identity system for tests: real servers in this process, on databases in memory."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
IDENTITY = ROOT / "scenarios" / "identity"
sys.path[:0] = [str(IDENTITY), str(IDENTITY.parent)]
SECRET = "the secret of tests, which guards nothing"
NEEDED = ("alembic", "argon2", "fastapi", "httpx", "jwt", "simplejson", "sqlalchemy", "uvicorn")


def _lacking() -> list[str]:
    from importlib.util import find_spec

    return [name for name in NEEDED if find_spec(name) is None]


# The oldest dependencies that are promised are those of the harness, not of its samples.
collect_ignore_glob = ["test_*.py"] if _lacking() else []


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self._now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self._now

    def move(self, **how: float) -> None:
        self._now += timedelta(**how)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass
class Auth:
    """A running auth service, and a channel to it."""

    address: str
    channel: Any

    def call(self, method: str, token: str = "", **fields: Any) -> Any:
        from identity_system.wire import auth_pb2, auth_pb2_grpc

        stub = auth_pb2_grpc.AuthServiceStub(self.channel)
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        request = getattr(auth_pb2, f"{method}Request")(**fields)
        return getattr(stub, method)(request, timeout=20, metadata=metadata)


@pytest.fixture
def auth(clock: Clock) -> Callable[..., AbstractContextManager[Auth]]:
    """Starts an auth service: `with auth(failures=3) as it`. Its clock is the test's."""
    import grpc

    from identity_system.auth.server import auth_server
    from identity_system.auth.settings import AuthSettings

    @contextlib.contextmanager
    def started(**settings: Any) -> Iterator[Auth]:
        chosen = AuthSettings(secret=SECRET, grace=timedelta(seconds=1), **settings)
        with auth_server(chosen, clock) as address, grpc.insecure_channel(address) as channel:
            yield Auth(address, channel)

    return started


@pytest.fixture
def served() -> Callable[[Any], AbstractContextManager[str]]:
    """Runs an asynchronous server on a loop of its own, and gives its address."""

    @contextlib.contextmanager
    def run(server: Any) -> Iterator[str]:
        ready: threading.Event = threading.Event()
        told: dict[str, Any] = {}

        async def serve() -> None:
            told["end"] = asyncio.Event()
            told["loop"] = asyncio.get_running_loop()
            try:
                async with server as address:
                    told["address"] = address
                    ready.set()
                    await told["end"].wait()
            finally:
                ready.set()

        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        assert ready.wait(30)
        try:
            yield told["address"]
        finally:
            told["loop"].call_soon_threadsafe(told["end"].set)
            thread.join(30)

    return run


@pytest.fixture
def front(auth: Any, served: Any) -> Callable[..., AbstractContextManager[Any]]:
    """Starts both services, and gives a client of the REST front."""
    import httpx

    from identity_system.user.server import user_server
    from identity_system.user.settings import UserSettings

    @contextlib.contextmanager
    def started(**settings: Any) -> Iterator[Any]:
        with auth(**settings) as behind:
            chosen = UserSettings(auth=behind.address, grace_seconds=1)
            with served(user_server(chosen)) as address:
                with httpx.Client(
                    base_url=f"http://{address}", timeout=20, trust_env=False
                ) as client:
                    yield client

    return started
