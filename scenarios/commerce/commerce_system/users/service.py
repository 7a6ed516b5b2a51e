"""What the users service does with a request. It knows no HTTP and no other service."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import grpc
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from commerce_system.users.model import User
from commerce_system.wire import users_pb2
from shared_system import checks
from shared_system.database import Database
from shared_system.failures import Failure
from shared_system.moments import as_stamp
from shared_system.observing import Observer, unary

__all__ = ["MIGRATIONS", "SERVICE", "UserService"]

SERVICE = users_pb2.DESCRIPTOR.services_by_name["UserService"]
MIGRATIONS = Path(__file__).parent / "migrations"


class UserService:
    """The methods of `commerce.v1.UserService`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def handler(self, observer: Observer) -> grpc.GenericRpcHandler:
        """Returns these methods as a gRPC server takes them."""
        return unary(
            observer,
            SERVICE.full_name,
            {
                "CreateUser": (users_pb2.CreateUserRequest, self.create),
                "GetUser": (users_pb2.GetUserRequest, self.get),
                "ValidateUser": (users_pb2.ValidateUserRequest, self.validate),
            },
        )

    async def create(self, request: users_pb2.CreateUserRequest) -> users_pb2.CreateUserResponse:
        """Makes a user, or answers the one that the same key and content made before."""
        user = User(
            name=checks.text("name", request.name, 200, required=True),
            email=checks.email("email", request.email),
            phone=checks.text("phone", request.phone, 50),
            address=checks.text("address", request.address, 500),
            idempotency_key=checks.key("idempotency_key", request.idempotency_key),
            content_digest=checks.content_digest(request),
            created_at=datetime.now(UTC),
        )

        def insert(session: Session) -> users_pb2.User:
            session.add(user)
            session.flush()
            return _message(user)

        known = await self._made_before(request)
        if known is None:
            try:
                made = await self._database.write("insert user", insert)
            except IntegrityError as error:
                # Somebody was faster: with this key, or with this email.
                known = await self._made_before(request)
                if known is None:
                    raise Failure(
                        grpc.StatusCode.ALREADY_EXISTS, "a user with this email exists"
                    ) from error
            else:
                return users_pb2.CreateUserResponse(user=made, message="User created successfully")
        return users_pb2.CreateUserResponse(
            user=known, message="User created successfully", replayed=True
        )

    async def get(self, request: users_pb2.GetUserRequest) -> users_pb2.GetUserResponse:
        """Answers a user."""
        found = await self._find(checks.identity("user_id", request.user_id))
        if found is None:
            raise Failure(grpc.StatusCode.NOT_FOUND, "user not found")
        return users_pb2.GetUserResponse(user=found)

    async def validate(
        self, request: users_pb2.ValidateUserRequest
    ) -> users_pb2.ValidateUserResponse:
        """Says whether there is such a user, and who it is."""
        found = await self._find(request.user_id)
        return users_pb2.ValidateUserResponse(is_valid=found is not None, user=found)

    async def _find(self, user_id: int) -> users_pb2.User | None:
        def find(session: Session) -> users_pb2.User | None:
            user = session.get(User, user_id)
            return None if user is None else _message(user)

        return await self._database.read("select user", find)

    async def _made_before(self, request: users_pb2.CreateUserRequest) -> users_pb2.User | None:
        digest = checks.content_digest(request)

        def find(session: Session) -> users_pb2.User | None:
            user = session.scalar(
                select(User).where(User.idempotency_key == request.idempotency_key)
            )
            if user is not None and user.content_digest != digest:
                raise Failure(
                    grpc.StatusCode.ALREADY_EXISTS,
                    "the idempotency key was used for another request",
                )
            return None if user is None else _message(user)

        return await self._database.read("select user by key", find)


def _message(user: User) -> users_pb2.User:
    return users_pb2.User(
        id=user.id,
        name=user.name,
        email=user.email,
        phone=user.phone,
        address=user.address,
        created_at=as_stamp(user.created_at),
    )
