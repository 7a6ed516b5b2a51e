"""What the auth service does with a request: the methods of `identity.v1.AuthService`.

Who calls was found out before, by the interceptors; without them the methods that need to know
refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import wraps
from typing import TypeVar

import grpc

from identity_system.auth import passwords
from identity_system.auth.model import Account
from identity_system.auth.settings import AuthSettings
from identity_system.auth.store import Store
from identity_system.auth.tokens import AUDIENCE, AccessToken, BadToken, Signer
from identity_system.security import caller
from identity_system.security.caller import Principal
from identity_system.security.threads import refuse
from identity_system.wire import auth_pb2, auth_pb2_grpc
from shared_system import checks
from shared_system.failures import Failure
from shared_system.moments import as_stamp

__all__ = ["AuthService"]

_RIGHT = re.compile(r"[a-z]{1,30}:[a-z]{1,30}")
_AUDIENCE = re.compile(r"[\x21-\x7e]{1,100}")
_MOST_RIGHTS = 30
_Request = TypeVar("_Request")
_Reply = TypeVar("_Reply")
_Method = Callable[["AuthService", _Request, grpc.ServicerContext], _Reply]


def _answering(method: Callable[[AuthService, _Request], _Reply]) -> _Method[_Request, _Reply]:
    """Ends the call by the code of a `Failure`."""

    @wraps(method)
    def answer(self: AuthService, request: _Request, context: grpc.ServicerContext) -> _Reply:
        try:
            return method(self, request)
        except Failure as failure:
            refuse(context, failure)

    return answer


class AuthService(auth_pb2_grpc.AuthServiceServicer):
    """The methods, each called in a thread of the server."""

    def __init__(self, store: Store, signer: Signer, settings: AuthSettings) -> None:
        self._store = store
        self._signer = signer
        self._settings = settings

    @_answering
    def Register(self, request: auth_pb2.RegisterRequest) -> auth_pb2.RegisterResponse:  # noqa: N802
        """Makes an account."""
        email = checks.email("email", request.email)
        password = passwords.checked(request.password)
        made = self._store.add_account(email, passwords.hashed(password))
        return auth_pb2.RegisterResponse(account=_message(made))

    @_answering
    def Login(self, request: auth_pb2.LoginRequest) -> auth_pb2.Tokens:  # noqa: N802
        """Begins a session for who knows the password."""
        email = checks.email("email", request.email)
        if not request.password:
            raise checks.invalid("password is required")
        self._store.begin_attempt(email)
        account = self._store.by_email(email)
        right = passwords.matches(request.password, account.password_hash if account else None)
        if account is None or not right:
            self._store.refused(account.id if account else "")
            raise caller.unauthenticated("the email or the password is wrong")
        session, refresh_token, expires = self._store.open_session(account)
        return self._tokens(account, session, refresh_token, expires)

    @_answering
    def Issue(self, request: auth_pb2.IssueRequest) -> auth_pb2.IssueResponse:  # noqa: N802
        """Makes a token for another audience, with some of the caller's rights."""
        principal = caller.current()
        if not _AUDIENCE.fullmatch(request.audience):
            raise checks.invalid("audience is 1 to 100 visible ASCII characters")
        longest = int(self._settings.access_life.total_seconds())
        if not 0 <= request.life_seconds <= longest:
            raise checks.invalid(f"life_seconds is 0 to {longest}")
        lacking = sorted(set(request.rights) - principal.rights)
        if lacking:
            raise Failure(
                grpc.StatusCode.PERMISSION_DENIED, "a token gives no right that its maker lacks"
            )
        token, expires = self._signer.sign(
            principal.account_id,
            principal.session,
            set(request.rights),
            timedelta(seconds=request.life_seconds or longest),
            request.audience,
        )
        return auth_pb2.IssueResponse(token=token, expires_at=as_stamp(expires))

    @_answering
    def Validate(self, request: auth_pb2.ValidateRequest) -> auth_pb2.ValidateResponse:  # noqa: N802
        """Says whether a token is good now, and whose it is."""
        try:
            read, account = self._good(request.token, request.audience or AUDIENCE)
        except BadToken as bad:
            return auth_pb2.ValidateResponse(valid=False, reason=str(bad))
        return auth_pb2.ValidateResponse(
            valid=True,
            account_id=account.id,
            email=account.email,
            rights=_rights(read, account),
            expires_at=as_stamp(read.expires_at),
        )

    @_answering
    def Refresh(self, request: auth_pb2.RefreshRequest) -> auth_pb2.Tokens:  # noqa: N802
        """Spends a refresh token for new tokens."""
        if not request.refresh_token:
            raise checks.invalid("refresh_token is required")
        account, session, refresh_token, expires = self._store.rotate(request.refresh_token)
        return self._tokens(account, session, refresh_token, expires)

    @_answering
    def Revoke(self, request: auth_pb2.RevokeRequest) -> auth_pb2.RevokeResponse:  # noqa: N802
        """Ends a token; of a refresh token, the whole session."""
        if not request.token:
            raise checks.invalid("token is required")
        if not self._store.revoke_session_of(request.token):
            try:
                read = self._signer.read(request.token)
            except BadToken:
                # Who shows what is no token learns nothing, and there is nothing to end.
                return auth_pb2.RevokeResponse()
            self._store.revoke_access(read.token_id, read.account_id, read.expires_at)
        return auth_pb2.RevokeResponse()

    @_answering
    def Grant(self, request: auth_pb2.GrantRequest) -> auth_pb2.GrantResponse:  # noqa: N802
        """Sets the rights of an account."""
        caller.check_rights("accounts:grant", caller.current())
        if len(request.rights) > _MOST_RIGHTS:
            raise checks.invalid(f"rights are at most {_MOST_RIGHTS}")
        for right in request.rights:
            if not _RIGHT.fullmatch(right):
                raise checks.invalid("a right is two words with a colon, such as users:read")
        account = self._store.set_rights(request.account_id, request.rights)
        if account is None:
            raise Failure(grpc.StatusCode.NOT_FOUND, "account not found")
        return auth_pb2.GrantResponse(account=_message(account))

    def verify(self, token: str) -> Principal:
        """Returns whose good token it is. Raises `Failure` UNAUTHENTICATED."""
        try:
            read, account = self._good(token, AUDIENCE)
        except BadToken as bad:
            raise caller.unauthenticated(str(bad)) from bad
        return Principal(
            account_id=account.id,
            email=account.email,
            rights=frozenset(_rights(read, account)),
            session=read.session,
        )

    def _good(self, token: str, audience: str) -> tuple[AccessToken, Account]:
        read = self._signer.read(token, audience)
        if self._store.is_revoked(read.token_id, read.session):
            raise BadToken("the token was revoked")
        account = self._store.by_id(read.account_id)
        if account is None:
            raise BadToken("the token is nobody's")
        return read, account

    def _tokens(
        self, account: Account, session: str, refresh_token: str, expires: datetime
    ) -> auth_pb2.Tokens:
        access, access_expires = self._signer.sign(
            account.id, session, account.rights.split(), self._settings.access_life
        )
        return auth_pb2.Tokens(
            access_token=access,
            refresh_token=refresh_token,
            access_expires_at=as_stamp(access_expires),
            refresh_expires_at=as_stamp(expires),
        )


def _rights(read: AccessToken, account: Account) -> Iterable[str]:
    """Returns the rights of a token that its account still has."""
    return sorted(set(read.rights) & set(account.rights.split()))


def _message(account: Account) -> auth_pb2.Account:
    return auth_pb2.Account(
        id=account.id,
        email=account.email,
        rights=account.rights.split(),
        created_at=as_stamp(account.created_at),
    )
