"""The orders service as a running server: its database, its calls to users, and its port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from commerce_system.orders.service import MIGRATIONS, SERVICE, OrderService
from commerce_system.settings import ServiceSettings
from shared_system.calling import Caller
from shared_system.database import Database
from shared_system.observing import Observer
from shared_system.serving import Serving, serving

__all__ = ["orders_server"]


@asynccontextmanager
async def orders_server(settings: ServiceSettings) -> AsyncIterator[str]:
    """Serves while the block runs, and yields the address. Raises `ValueError` for a database
    or a place of users that cannot be read, `Failure` for a database that is away, and
    `CannotListen`.
    """
    users = Caller("users", settings.users, settings.calling, settings.practices)
    database = Database(settings.database, MIGRATIONS, bounded=settings.practices.timeouts)
    try:
        await database.migrate()
        async with serving(
            Serving(
                service=SERVICE,
                handler=OrderService(database, users).handler(Observer(settings.practices)),
                is_well=database.is_well,
                listen=settings.listen,
                grace_seconds=settings.grace,
                registered=settings.register,
            )
        ) as address:
            yield address
    finally:
        await users.close()
        await database.close()
