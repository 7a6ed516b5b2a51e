"""The gateway as a running HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn

from commerce_system.gateway.app import application
from commerce_system.gateway.services import Services
from commerce_system.shared.serving import CannotListen
from commerce_system.shared.settings import ServiceSettings

__all__ = ["gateway_server"]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to the process that runs it."""
        yield


@asynccontextmanager
async def gateway_server(settings: ServiceSettings) -> AsyncIterator[str]:
    """Serves while the block runs, and yields the address. Raises `ValueError` for a place of a
    service that cannot be read, and `CannotListen`.
    """
    services = Services(settings)
    host, _, port = settings.listen.rpartition(":")
    try:
        listening = socket.create_server((host, int(port)), backlog=1024)
    except OSError as error:
        raise CannotListen(f"cannot listen on {settings.listen}: {error.strerror}") from error
    server = _Server(
        uvicorn.Config(
            application(settings, services),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.grace)),
            h11_max_incomplete_event_size=32 * 1024,
        )
    )
    running = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        yield f"{host}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listening.close()
        await services.close()
