"""The tables of the auth service. `migrations` makes them; here they are read and written."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["Account", "Base", "Event", "Failures", "RefreshToken", "RevokedToken", "Session"]


class Base(DeclarativeBase):
    """The tables of the auth service."""


class Account(Base):
    """Somebody."""

    __tablename__ = "accounts"
    __table_args__ = (UniqueConstraint("email", name="accounts_email"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(200))
    rights: Mapped[str] = mapped_column(String(2000))
    """With spaces between them."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Session(Base):
    """A login, with all tokens that descend from it."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    revoked: Mapped[bool]


class RefreshToken(Base):
    """A refresh token, of which only the digest is kept."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    spent: Mapped[bool]


class RevokedToken(Base):
    """An access token that ended before its time."""

    __tablename__ = "revoked_tokens"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Failures(Base):
    """Logins that failed in a row for one email, whether or not it has an account."""

    __tablename__ = "login_failures"

    email: Mapped[str] = mapped_column(String(254), primary_key=True)
    count: Mapped[int]
    until: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    """When they are forgotten."""


class Event(Base):
    """What happened, and at which instance of the service."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    kind: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[str] = mapped_column(String(32))
    instance: Mapped[str] = mapped_column(String(100))
