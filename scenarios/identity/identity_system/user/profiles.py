"""What the user service does, however it is asked: profiles, each of one account."""

from __future__ import annotations

from pathlib import Path

import grpc
from sqlalchemy.orm import Session

from identity_system.security import caller
from identity_system.user.model import Profile
from identity_system.wire import user_pb2
from shared_system import checks
from shared_system.database import Database
from shared_system.failures import Failure

__all__ = ["MIGRATIONS", "Profiles"]

MIGRATIONS = Path(__file__).parent / "migrations"


class Profiles:
    """The methods of `identity.v1.UserService`. Who calls was found out before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_me(self, _request: user_pb2.GetMeRequest) -> user_pb2.Profile:
        """Answers the caller's profile."""
        return await self._find(caller.current().account_id)

    async def put_me(self, request: user_pb2.PutMeRequest) -> user_pb2.Profile:
        """Writes the caller's profile."""
        profile = Profile(
            account_id=caller.current().account_id,
            name=checks.text("name", request.name, 200, required=True),
            about=checks.text("about", request.about, 2000),
        )

        def write(session: Session) -> user_pb2.Profile:
            return _message(session.merge(profile))

        return await self._database.write("merge profile", write)

    async def get_user(self, request: user_pb2.GetUserRequest) -> user_pb2.Profile:
        """Answers anybody's profile, for who has the right to see it."""
        caller.check_rights("users:read", caller.current())
        return await self._find(checks.text("account_id", request.account_id, 32, required=True))

    async def _find(self, account_id: str) -> user_pb2.Profile:
        def find(session: Session) -> user_pb2.Profile | None:
            found = session.get(Profile, account_id)
            return None if found is None else _message(found)

        found = await self._database.read("select profile", find)
        if found is None:
            raise Failure(grpc.StatusCode.NOT_FOUND, "there is no such profile")
        return found


def _message(profile: Profile) -> user_pb2.Profile:
    return user_pb2.Profile(account_id=profile.account_id, name=profile.name, about=profile.about)
