"""What the auth service keeps: accounts, sessions, refresh tokens, failures. Each method is one
transaction; what a token or a password is, others know.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import grpc
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from identity_system.auth.model import (
    Account,
    Event,
    Failures,
    RefreshToken,
    RevokedToken,
    Session,
)
from identity_system.auth.settings import AuthSettings
from identity_system.security.caller import unauthenticated
from shared_system.database import Database
from shared_system.failures import Failure
from shared_system.moments import as_utc

__all__ = ["MIGRATIONS", "Store"]

MIGRATIONS = Path(__file__).parent / "migrations"
_MOST_EVENTS = 10_000
_MOST_FAILURES = 10_000


class Store:
    """The database of the auth service, as its methods need it. For any number of threads."""

    def __init__(
        self, database: Database, settings: AuthSettings, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    def add_account(self, email: str, password_hash: str) -> Account:
        """Makes an account. Raises `Failure` ALREADY_EXISTS for an email that somebody has."""
        rights = self._settings.first_rights if email in self._settings.administrators else ()
        account = Account(
            id=uuid.uuid4().hex,
            email=email,
            password_hash=password_hash,
            rights=" ".join(rights),
            created_at=self._clock(),
        )

        def add(session: Transaction) -> Account:
            session.add(account)
            session.flush()
            self._note(session, "registered", account.id)
            session.flush()
            session.expunge(account)
            return account

        try:
            return self._database.transaction("insert account", add, writes=True)
        except IntegrityError as error:
            raise Failure(
                grpc.StatusCode.ALREADY_EXISTS, "an account with this email exists"
            ) from error

    def by_email(self, email: str) -> Account | None:
        """Finds an account."""
        return self._find(select(Account).where(Account.email == email))

    def by_id(self, account_id: str) -> Account | None:
        """Finds an account."""
        return self._find(select(Account).where(Account.id == account_id))

    def set_rights(self, account_id: str, rights: Iterable[str]) -> Account | None:
        """Gives an account these rights and no others."""

        def change(session: Transaction) -> Account | None:
            account = session.get(Account, account_id)
            if account is None:
                return None
            account.rights = " ".join(sorted(set(rights)))
            self._note(session, "granted", account.id)
            session.flush()
            session.expunge(account)
            return account

        return self._database.transaction("update rights", change, writes=True)

    def begin_attempt(self, email: str) -> None:
        """Counts a login as failed before it is tried, so that many at once are counted too.

        Raises `Failure` RESOURCE_EXHAUSTED where too many failed: until they are forgotten, the
        right password does not help either.
        """

        def count(session: Transaction) -> float:
            now = self._clock()
            session.execute(delete(Failures).where(Failures.until <= now))
            known = session.get(Failures, email)
            if known is None:
                self._make_room(session)
                session.add(Failures(email=email, count=1, until=now + self._settings.lock_out))
                return 0.0
            if known.count >= self._settings.failures:
                return (as_utc(known.until) - now).total_seconds()
            known.count += 1
            known.until = now + self._settings.lock_out
            return 0.0

        wait = self._database.transaction("count failures", count, writes=True)
        if wait > 0:
            raise Failure(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"too many failed logins; try again in {int(wait) + 1} seconds",
            )

    def refused(self, account_id: str) -> None:
        """Notes that a login failed."""
        self._database.transaction(
            "note event", lambda session: self._note(session, "refused", account_id), writes=True
        )

    def open_session(self, account: Account) -> tuple[str, str, datetime]:
        """Begins a session. Returns its id, its first refresh token, and when that expires."""

        def add(session: Transaction) -> tuple[str, str, datetime]:
            session.execute(delete(Failures).where(Failures.email == account.email))
            self._forget_expired(session)
            made = Session(id=uuid.uuid4().hex, account_id=account.id, revoked=False)
            session.add(made)
            session.flush()
            self._note(session, "logged in", account.id)
            return (made.id, *self._new_refresh_token(session, made.id))

        return self._database.transaction("insert session", add, writes=True)

    def rotate(self, token: str) -> tuple[Account, str, str, datetime]:
        """Spends a refresh token. Returns whose it is, its session, its successor, and when that
        expires. One that was spent before revokes its session.

        Raises `Failure` UNAUTHENTICATED for a token that is not good.
        """

        def spend(session: Transaction) -> tuple[Account, str, str, datetime] | str:
            known = session.get(RefreshToken, _digest(token))
            if known is None:
                return "the refresh token is not one of ours"
            owner = session.get_one(Session, known.session_id)
            if owner.revoked:
                return "the refresh token was revoked"
            if known.spent:
                owner.revoked = True
                self._note(session, "reused", owner.account_id)
                return "the refresh token was used before; log in again"
            if as_utc(known.expires_at) <= self._clock():
                return "the refresh token has expired"
            known.spent = True
            account = session.get_one(Account, owner.account_id)
            self._note(session, "refreshed", account.id)
            made = self._new_refresh_token(session, owner.id)
            session.flush()
            session.expunge(account)
            return (account, owner.id, *made)

        # What a reuse revokes is committed: the reason is told only afterwards.
        outcome = self._database.transaction("rotate token", spend, writes=True)
        if isinstance(outcome, str):
            raise unauthenticated(outcome)
        return outcome

    def is_revoked(self, token_id: str, session_id: str) -> bool:
        """Says whether an access token, or the session that it descends from, was revoked."""

        def look(session: Transaction) -> bool:
            owner = session.get(Session, session_id)
            return owner is None or owner.revoked or session.get(RevokedToken, token_id) is not None

        return self._database.transaction("select revoked", look, writes=False)

    def revoke_access(self, token_id: str, account_id: str, expires_at: datetime) -> None:
        """Ends one access token."""

        def add(session: Transaction) -> None:
            session.execute(delete(RevokedToken).where(RevokedToken.expires_at <= self._clock()))
            session.merge(RevokedToken(id=token_id, expires_at=expires_at))
            self._note(session, "revoked", account_id)

        self._database.transaction("insert revoked", add, writes=True)

    def revoke_session_of(self, refresh_token: str) -> bool:
        """Ends the session of a refresh token. Returns whether there is such a token."""

        def end(session: Transaction) -> bool:
            known = session.get(RefreshToken, _digest(refresh_token))
            if known is None:
                return False
            owner = session.get_one(Session, known.session_id)
            if not owner.revoked:
                owner.revoked = True
                self._note(session, "revoked", owner.account_id)
            return True

        return self._database.transaction("revoke session", end, writes=True)

    def _find(self, statement: object) -> Account | None:
        def find(session: Transaction) -> Account | None:
            account: Account | None = session.scalar(statement)  # type: ignore[call-overload]
            if account is not None:
                session.expunge(account)
            return account

        return self._database.transaction("select account", find, writes=False)

    def _new_refresh_token(self, session: Transaction, session_id: str) -> tuple[str, datetime]:
        token, expires = secrets.token_urlsafe(32), self._clock() + self._settings.refresh_life
        session.add(
            RefreshToken(
                digest=_digest(token), session_id=session_id, expires_at=expires, spent=False
            )
        )
        return token, expires

    def _forget_expired(self, session: Transaction) -> None:
        session.execute(delete(RefreshToken).where(RefreshToken.expires_at <= self._clock()))

    def _note(self, session: Transaction, kind: str, account_id: str) -> None:
        event = Event(
            at=self._clock(), kind=kind, account_id=account_id, instance=self._settings.instance
        )
        session.add(event)
        session.flush()
        session.execute(delete(Event).where(Event.id <= event.id - _MOST_EVENTS))

    def _make_room(self, session: Transaction) -> None:
        """Forgets the failures that would be forgotten first, where there are too many."""
        kept = select(Failures.email).order_by(Failures.until.desc()).limit(_MOST_FAILURES - 1)
        if (session.scalar(select(func.count()).select_from(Failures)) or 0) >= _MOST_FAILURES:
            session.execute(delete(Failures).where(Failures.email.not_in(kept)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
