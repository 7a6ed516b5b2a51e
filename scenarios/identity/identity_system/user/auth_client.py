"""The auth service as the user service calls it."""

from __future__ import annotations

from identity_system.security.caller import Principal, unauthenticated
from identity_system.security.loops import ClientAuthentication, ClientAuthorization
from identity_system.security.rules import AUTH_RULES
from identity_system.user.settings import UserSettings
from identity_system.wire import auth_pb2, auth_pb2_grpc
from shared_system.calling import Caller

__all__ = ["AuthClient"]


class AuthClient:
    """Calls auth. Every method raises `Failure`. Lives on one event loop."""

    def __init__(self, settings: UserSettings) -> None:
        """Raises `ValueError` for a place that cannot be read."""
        self._caller = Caller(
            "auth",
            settings.auth,
            settings.calling,
            settings.practices,
            credentials=settings.auth_credentials,
            interceptors=(ClientAuthentication(), ClientAuthorization(AUTH_RULES)),
        )

    async def register(self, email: str, password: str) -> auth_pb2.Account:
        """Makes an account."""
        request = auth_pb2.RegisterRequest(email=email, password=password)
        made = await self._caller.call(
            "Register",
            lambda channel: auth_pb2_grpc.AuthServiceStub(channel).Register,
            request,
            # Made once and answered never, it would be refused the second time.
            repeatable=False,
        )
        return made.account

    async def login(self, email: str, password: str) -> auth_pb2.Tokens:
        """Begins a session."""
        request = auth_pb2.LoginRequest(email=email, password=password)
        return await self._caller.call(
            "Login",
            lambda channel: auth_pb2_grpc.AuthServiceStub(channel).Login,
            request,
            # Each attempt counts against the lock-out.
            repeatable=False,
        )

    async def refresh(self, refresh_token: str) -> auth_pb2.Tokens:
        """Spends a refresh token."""
        request = auth_pb2.RefreshRequest(refresh_token=refresh_token)
        return await self._caller.call(
            "Refresh",
            lambda channel: auth_pb2_grpc.AuthServiceStub(channel).Refresh,
            request,
            # A second time would look like theft.
            repeatable=False,
        )

    async def revoke(self, token: str) -> None:
        """Ends a token."""
        request = auth_pb2.RevokeRequest(token=token)
        await self._caller.call(
            "Revoke",
            lambda channel: auth_pb2_grpc.AuthServiceStub(channel).Revoke,
            request,
        )

    async def issue(self, request: auth_pb2.IssueRequest) -> auth_pb2.IssueResponse:
        """Makes a token for another audience, for whose token is carried now."""
        return await self._caller.call(
            "Issue",
            lambda channel: auth_pb2_grpc.AuthServiceStub(channel).Issue,
            request,
        )

    async def verify(self, token: str) -> Principal:
        """Returns whose good token it is. Raises `Failure` UNAUTHENTICATED for any other."""
        request = auth_pb2.ValidateRequest(token=token)
        told = await self._caller.call(
            "Validate",
            lambda channel: auth_pb2_grpc.AuthServiceStub(channel).Validate,
            request,
        )
        if not told.valid:
            raise unauthenticated(told.reason)
        return Principal(
            account_id=told.account_id, email=told.email, rights=frozenset(told.rights)
        )

    async def is_well(self) -> bool:
        """Asks auth for its health."""
        return await self._caller.is_well()

    async def close(self) -> None:
        """Closes the channels."""
        await self._caller.close()
