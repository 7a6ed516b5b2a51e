"""The gateway as a running HTTP server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from commerce_system.gateway.app import application
from commerce_system.gateway.services import Services
from commerce_system.settings import ServiceSettings
from shared_system.http_serving import serving_http

__all__ = ["gateway_server"]


@asynccontextmanager
async def gateway_server(settings: ServiceSettings) -> AsyncIterator[str]:
    """Serves while the block runs, and yields the address. Raises `ValueError` for a place of a
    service that cannot be read, and `CannotListen`.
    """
    services = Services(settings)
    try:
        async with serving_http(
            application(settings, services), settings.listen, grace_seconds=settings.grace
        ) as address:
            yield address
    finally:
        await services.close()
