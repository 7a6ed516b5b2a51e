"""Which database a service is given, as people write it and as a value.

A fresh one is made for each mesh; where it is made is the run's choice unless its kind is named.
Making it is for `mesh.databases`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from collector_harness.errors import InvalidInput, Problem

__all__ = [
    "DatabaseKind",
    "FreshDatabase",
    "FreshDatabases",
    "KeptDatabase",
    "parse_database",
    "parse_fresh_databases",
]

DatabaseKind: TypeAlias = Literal["sqlite", "postgresql"]

_KINDS: tuple[DatabaseKind, ...] = ("sqlite", "postgresql")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_SERVERS = ("postgresql", "postgres")


@dataclass(frozen=True, kw_only=True, slots=True)
class FreshDatabase:
    """A database that is made for one mesh, empty, and goes with it."""

    name: str
    """What it is called, beside the name of its service."""
    kind: DatabaseKind | None
    """What it is; None where the run chooses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptDatabase:
    """A database that somebody else keeps."""

    url: str
    """Where it is; may hold references."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FreshDatabases:
    """Where a run makes databases for services that do not name a kind."""

    kind: DatabaseKind = "sqlite"
    server: str | None = None
    """URL of a running PostgreSQL on which databases may be made; None for one that the harness
    starts when it is first needed."""

    def __str__(self) -> str:
        return self.kind


def parse_database(text: str) -> FreshDatabase | KeptDatabase:
    """Returns what `database` of a service says: `NAME`, `sqlite:NAME`, `postgresql:NAME`, one of
    the two kinds alone, or a URL. Raises `ValueError` with a remedy on a line of its own.
    """
    if "${" in text or "://" in text:
        return KeptDatabase(url=text)
    for kind in _KINDS:
        if text == kind:
            return FreshDatabase(name="database", kind=kind)
        if text.startswith(f"{kind}:") and _NAME.fullmatch(text[len(kind) + 1 :]):
            return FreshDatabase(name=text[len(kind) + 1 :], kind=kind)
    if _NAME.fullmatch(text):
        return FreshDatabase(name=text, kind=None)
    raise ValueError(
        f"'{text}' is not a database\nwrite a name, such as orders, for a fresh one; "
        "sqlite:NAME or postgresql:NAME where it must be of that kind; or a URL such as "
        "postgresql://..."
    )


def parse_fresh_databases(text: str) -> FreshDatabases:
    """Returns where a run makes databases: `sqlite`, `postgresql`, or the URL of a PostgreSQL.

    Raises `InvalidInput`.
    """
    for kind in _KINDS:
        if text == kind:
            return FreshDatabases(kind=kind)
    try:
        url = urlsplit(text)
        usable = url.scheme in _SERVERS and bool(url.netloc) and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        # What was given may hold a password, so it is not told.
        raise InvalidInput(
            Problem(
                message="fresh databases are made in files of SQLite or on a PostgreSQL",
                hint="write sqlite, postgresql for one that is started for the run, or "
                "postgresql://USER:PASSWORD@HOST:PORT for one that runs already",
            )
        )
    return FreshDatabases(kind="postgresql", server=text)
