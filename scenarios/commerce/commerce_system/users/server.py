"""The users service as a running server: its database, brought up to date, and its port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from commerce_system.settings import ServiceSettings
from commerce_system.users.service import MIGRATIONS, SERVICE, UserService
from shared_system.database import Database
from shared_system.observing import Observer
from shared_system.serving import Serving, serving

__all__ = ["users_server"]


@asynccontextmanager
async def users_server(settings: ServiceSettings) -> AsyncIterator[str]:
    """Serves while the block runs, and yields the address. Raises `ValueError` for a database
    that cannot be read, `Failure` for one that is away, and `CannotListen`.
    """
    database = Database(settings.database, MIGRATIONS, bounded=settings.practices.timeouts)
    try:
        await database.migrate()
        async with serving(
            Serving(
                service=SERVICE,
                handler=UserService(database).handler(Observer(settings.practices)),
                is_well=database.is_well,
                listen=settings.listen,
                grace_seconds=settings.grace,
                registered=settings.register,
            )
        ) as address:
            yield address
    finally:
        await database.close()
