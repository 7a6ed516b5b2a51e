"""The user service as a running server, by HTTP or by gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from identity_system.security.loops import Authentication, Authorization
from identity_system.security.rules import USER, USER_RULES
from identity_system.user.app import application
from identity_system.user.auth_client import AuthClient
from identity_system.user.profiles import MIGRATIONS, Profiles
from identity_system.user.settings import UserSettings
from identity_system.wire import user_pb2
from shared_system.database import Database
from shared_system.http_serving import serving_http
from shared_system.observing import Observer, unary
from shared_system.serving import Serving, serving

__all__ = ["user_server"]


@asynccontextmanager
async def user_server(settings: UserSettings) -> AsyncIterator[str]:
    """Serves while the block runs, and yields the address. Raises `ValueError` for a place or a
    database that cannot be read, `Failure` for a database that is away, and `CannotListen`.
    """
    auth = AuthClient(settings)
    database = Database(settings.database, MIGRATIONS)
    try:
        await database.migrate()
        profiles = Profiles(database)
        if settings.protocol == "grpc":
            served = serving(_rpc(settings, auth, profiles, database))
        else:
            app = application(settings, auth, profiles, database)
            served = serving_http(
                app, settings.listen, grace_seconds=settings.grace_seconds, tls=settings.https
            )
        async with served as address:
            yield address
    finally:
        await auth.close()
        await database.close()


def _rpc(
    settings: UserSettings, auth: AuthClient, profiles: Profiles, database: Database
) -> Serving:
    return Serving(
        service=USER,
        handler=unary(
            Observer(settings.practices),
            USER.full_name,
            {
                "GetMe": (user_pb2.GetMeRequest, profiles.get_me),
                "PutMe": (user_pb2.PutMeRequest, profiles.put_me),
                "GetUser": (user_pb2.GetUserRequest, profiles.get_user),
            },
        ),
        is_well=database.is_well,
        listen=settings.listen,
        grace_seconds=settings.grace_seconds,
        credentials=settings.credentials,
        interceptors=(Authentication(USER_RULES, auth.verify), Authorization(USER_RULES)),
    )
