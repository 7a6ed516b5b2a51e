"""One service of a running mesh: where it is, how it is called, what it wrote."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Protocol

from collector_harness.client.credentials import ClientCredentials
from collector_harness.errors import InvalidInput, Problem
from collector_harness.launchers.base import Launch, RunningNode
from collector_harness.mesh.node import MeshNode
from collector_harness.topology.services import Service
from collector_harness.topology.values import Node

__all__ = ["MeshService", "RunningService", "as_node"]


class RunningService(RunningNode, Protocol):
    """A service, however it came to be."""

    async def start(self, launch: Launch | None = None) -> None:
        """Starts it, and returns when it is ready. No node's launch concerns it."""

    def forget(self) -> None:
        """Forgets what it wrote, before it serves another case."""

    async def until_healthy(self) -> None:
        """Returns once it is ready; raises `TargetFailed` when it is not within its time."""


def as_node(service: Service) -> Node:
    """Returns the node whose credentials are those of the service."""
    return Node(
        name=service.name,
        tls=service.tls,
        token=service.token,
        protos=service.protos,
        logs=service.logs,
    )


class MeshService(MeshNode):
    """One service of a running mesh. It is called and broken as a node is, and has no links."""

    def __init__(
        self,
        service: Service,
        running: RunningService,
        *,
        credentials: Callable[[], ClientCredentials],
        database_url: Callable[[], str | None],
    ) -> None:
        super().__init__(as_node(service), running, credentials=credentials)
        self.service = service
        """What it is in the topology."""
        self.running_service = running
        """What was launched."""
        self._database_url = database_url

    @property
    def url(self) -> str:
        """Where it is, with the scheme of its protocol: `http`, `https`, `grpc` or `grpcs`."""
        return f"{self.service.protocol}{'s' if self.service.tls else ''}://{self.address}"

    def http_context(self) -> ssl.SSLContext | None:
        """Returns what HTTP clients of it take, None where it has no TLS; raises `OSError` for a
        file that cannot be read.
        """
        return self._credentials().http_context()

    def values(self) -> dict[str, object]:
        """Returns what paths such as `${service.NAME.url}` lead to."""
        values = super().values()
        del values["namespaces"]
        return {**values, "database_url": self._database_url()}

    @property
    def database_url(self) -> str:
        """The URL of its database; raises `InvalidInput` where it has none."""
        url = self._database_url()
        if url is None:
            raise InvalidInput(
                Problem(
                    message=f"service '{self.name}' has no database",
                    hint=f"give it one: {self.name}: {{database: 'sqlite:{self.name}.db', ...}}",
                )
            )
        return url
