"""The table of profiles. `migrations` makes it; here it is read and written."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["Base", "Profile"]


class Base(DeclarativeBase):
    """The tables of the user service."""


class Profile(Base):
    """What somebody tells of themselves."""

    __tablename__ = "profiles"

    account_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    about: Mapped[str] = mapped_column(String(2000))
