"""An ASGI application as a running HTTP server in this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from shared_system.serving import CannotListen

__all__ = ["TlsFiles", "serving_http"]


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """By which a server speaks HTTPS."""

    cert: Path
    key: Path


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to the process that runs it."""
        yield


@asynccontextmanager
async def serving_http(
    app: ASGIApp, listen: str, *, grace_seconds: float, tls: TlsFiles | None = None
) -> AsyncIterator[str]:
    """Serves while the block runs, and yields the address. Raises `CannotListen`."""
    host, _, port = listen.rpartition(":")
    try:
        listening = socket.create_server((host, int(port)), backlog=1024)
    except OSError as error:
        raise CannotListen(f"cannot listen on {listen}: {error.strerror}") from error
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(grace_seconds)),
            h11_max_incomplete_event_size=32 * 1024,
            ssl_certfile=tls.cert if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
    )
    running = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        yield f"{host}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listening.close()
