"""The whole system in one process: users, orders and the gateway, each on a port of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from commerce_system.gateway.server import gateway_server
from commerce_system.orders.server import orders_server
from commerce_system.settings import ServiceSettings
from commerce_system.users.server import users_server

__all__ = ["Addresses", "whole_system"]


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the services are, as `host:port`."""

    users: str
    orders: str
    gateway: str


@asynccontextmanager
async def whole_system(
    settings: ServiceSettings, databases: tuple[str, str]
) -> AsyncIterator[Addresses]:
    """Serves all three while the block runs. `settings.listen` is the gateway's; the services
    take any free port. Raises as the single servers do.
    """
    anywhere = replace(settings, listen="127.0.0.1:0")
    async with users_server(replace(anywhere, database=databases[0])) as users:
        behind = replace(anywhere, database=databases[1], users=users)
        async with orders_server(behind) as orders:
            front = replace(settings, users=users, orders=orders)
            async with gateway_server(front) as gateway:
                yield Addresses(users=users, orders=orders, gateway=gateway)
