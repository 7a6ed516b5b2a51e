"""The databases that services of one mesh are given: fresh ones, or those of somebody else.

The server of fresh PostgreSQL databases is `launchers.postgresql`'s.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from collector_harness.errors import EnvironmentLacks
from collector_harness.launchers.postgresql import the_postgresql
from collector_harness.mesh.folder import MeshFolder
from collector_harness.topology.databases import (
    DatabaseKind,
    FreshDatabase,
    FreshDatabases,
    parse_database,
)
from collector_harness.topology.services import Service

__all__ = ["Databases"]

_SECONDS_TO_CONNECT = 10


class Databases:
    """The databases of one mesh, as URLs that SQLAlchemy and most frameworks read."""

    def __init__(
        self, folder: MeshFolder, fill: Callable[[str], str], *, fresh: FreshDatabases
    ) -> None:
        """`fill` replaces the references in a text; `fresh` says where databases are made."""
        self._folder = folder
        self._fill = fill
        self._fresh = fresh
        self._made: dict[str, str] = {}
        """The URLs of what was made on a PostgreSQL, by the name of the service."""
        self._token = secrets.token_hex(4)

    def url(self, service: Service) -> str | None:
        """Returns where the database of a service is; None where it has none, or none yet.

        A fresh one of SQLite is a file of the mesh, which goes with it; what somebody else keeps
        is where it is written.
        """
        if service.database is None:
            return None
        written = parse_database(service.database)
        if not isinstance(written, FreshDatabase):
            return self._fill(written.url)
        return self._made.get(service.name) or self._file_url(service)

    async def make(self, services: Iterable[Service]) -> None:
        """Makes the fresh databases that are not there yet; raises `EnvironmentLacks`."""
        services = list(services)
        for service in services:
            if (url := self._file_url(service)) is not None:
                # So that it can be asked even before its service has opened it.
                _touch(url.removeprefix("sqlite:///"))
        wanted = {
            service: f"harness_{self._token}_{_plain(service.name)}"
            for service in services
            if self._fresh_of(service, "postgresql") and service.name not in self._made
        }
        if not wanted:
            return
        server = await asyncio.to_thread(self._server)
        for service, name in wanted.items():
            await asyncio.to_thread(_do, server, f"CREATE DATABASE {name}")
            self._made[service.name] = urlsplit(server)._replace(path=f"/{name}").geturl()

    async def forget(self, service: Service) -> None:
        """Removes what is in the fresh database of a service that does not run now."""
        if service.name in self._made:
            await self._drop(service.name)
        elif (url := self._file_url(service)) is not None:
            file = url.removeprefix("sqlite:///")
            for path in self._folder.place("").glob("*"):
                # Its journal and its shared memory stand beside it.
                if str(path).startswith(file):
                    path.unlink(missing_ok=True)

    async def remove(self) -> None:
        """Removes what was made on a server. Safe to call again."""
        for name in list(self._made):
            await self._drop(name)

    async def _drop(self, service: str) -> None:
        url = urlsplit(self._made.pop(service))
        # With a server of the harness that is gone, its databases are.
        if self._fresh.server is not None or the_postgresql().running:
            server = await asyncio.to_thread(self._server)
            name = url.path.removeprefix("/")
            await asyncio.to_thread(_do, server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _fresh_of(self, service: Service, kind: DatabaseKind) -> FreshDatabase | None:
        """Returns the fresh database of a service where it is of that kind."""
        written = None if service.database is None else parse_database(service.database)
        if isinstance(written, FreshDatabase) and (written.kind or self._fresh.kind) == kind:
            return written
        return None

    def _file_url(self, service: Service) -> str | None:
        written = self._fresh_of(service, "sqlite")
        if written is None:
            return None
        return f"sqlite:///{self._folder.place(f'{service.name}-{written.name}')}"

    def _server(self) -> str:
        return self._fresh.server or the_postgresql().start()


def _touch(file: str) -> None:
    Path(file).touch(mode=0o600)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())[:40]


def _do(server: str, statement: str) -> None:
    try:
        import psycopg
    except ImportError as error:
        raise EnvironmentLacks(
            "a fresh PostgreSQL database needs the extra 'postgres': "
            "pip install 'collector-harness[postgres]'"
        ) from error
    try:
        with psycopg.connect(
            server, autocommit=True, connect_timeout=_SECONDS_TO_CONNECT
        ) as connection:
            connection.execute(statement.encode())
    except psycopg.Error as error:
        at = urlsplit(server)
        raise EnvironmentLacks(
            f"PostgreSQL at {at.hostname}:{at.port or 5432} cannot be used: {str(error).strip()}\n"
            "hint: fresh databases need a user who may make databases (CREATEDB)"
        ) from error
