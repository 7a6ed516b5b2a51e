"""The table of users. `migrations` makes it; here it is read and written."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["Base", "User"]


class Base(DeclarativeBase):
    """The tables of the users service."""


class User(Base):
    """One user."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email", name="users_email"),
        UniqueConstraint("idempotency_key", name="users_idempotency_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    phone: Mapped[str] = mapped_column(String(50))
    address: Mapped[str] = mapped_column(String(500))
    idempotency_key: Mapped[str] = mapped_column(String(200))
    content_digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
