"""Starting the nodes and services of one mesh, each when those that it waits for are ready."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from collector_harness.client.dialects import marked
from collector_harness.launchers.base import Launch
from collector_harness.mesh.credentials import MeshCredentials
from collector_harness.mesh.doors import Doors
from collector_harness.mesh.folder import MeshFolder
from collector_harness.mesh.linking import Linking
from collector_harness.mesh.node import MeshNode
from collector_harness.mesh.readiness import all_of, until_healthy
from collector_harness.mesh.service import MeshService
from collector_harness.mesh.texts import Texts
from collector_harness.topology.values import Node, Topology

__all__ = ["Starting"]

_AWAY = 2.0
"""Seconds: longer than a channel pauses between two tries to connect."""


class Starting:
    """How the parts of one mesh come up."""

    def __init__(
        self,
        topology: Topology,
        parts: Mapping[str, MeshNode],
        *,
        before: Mapping[str, Collection[str]],
        doors: Doors,
        linking: Linking,
        credentials: MeshCredentials,
        texts: Texts,
        folder: MeshFolder,
        ready_limit: timedelta,
    ) -> None:
        """`before` names for each part those that have to be ready first."""
        self._topology = topology
        self._parts = parts
        self._before = before
        self._doors = doors
        self._linking = linking
        self._credentials = credentials
        self._texts = texts
        self._folder = folder
        self._ready_limit = ready_limit

    async def start(self, parts: Iterable[MeshNode]) -> None:
        """Starts parts, each after those that it waits for; raises as `start_one` does."""
        starting = list(parts)
        ready = {part.name: asyncio.Event() for part in starting}

        async def begin(part: MeshNode) -> None:
            for other in self._before[part.name]:
                if other in ready:
                    await ready[other].wait()
            await self.start_one(part)
            ready[part.name].set()

        await all_of(begin(part) for part in starting)

    async def start_one(self, part: MeshNode, *, healthy: bool = True) -> None:
        """Starts one, and returns when it is ready, a node without `healthy` as soon as it says so;
        raises `TargetFailed`, `InvalidInput` or `EnvironmentLacks`.
        """
        if isinstance(part, MeshService):
            await part.running_service.start()
            if part.is_called and part.service.protocol == "grpc":
                # Its channel found it gone, and would look for it again only after a pause.
                await part.client.until_connected(seconds=_AWAY)
            part.open_client()
            return
        await part.running.start(self._launch(part))
        part.open_client()
        if healthy:
            await self.until_healthy(part)

    def _launch(self, part: MeshNode) -> Launch:
        node = part.node
        environment = tuple((name, self._texts.fill(value)) for name, value in node.environment)
        return Launch(
            node=replace(
                node, environment=environment, store=self._store(node), dialect=part.dialect
            ),
            connect=tuple(
                marked(
                    self._doors.address(link.target, by=node.name),
                    of=self._parts[link.target].dialect,
                    by=part.dialect,
                )
                for link in self._topology.links
                if link.source == node.name and self._linking.dials_itself(link)
            ),
            registry_address=None
            if node.registry in (None, node.name)
            else self._parts[node.registry].address,
            security=self._credentials.of(node),
        )

    async def until_healthy(self, part: MeshNode) -> None:
        """Returns once a part answers that it is well; raises `TargetFailed`."""
        if isinstance(part, MeshService):
            await part.running_service.until_healthy()
        elif part.node.peer is None:
            await until_healthy(part.running, part.client, limit=self._ready_limit)

    def _store(self, node: Node) -> str | None:
        """Returns where a node keeps registrations, a mere file name in the folder of the mesh."""
        kind, _, name = (node.store or "").partition(":")
        if kind != "sqlite" or "/" in name:
            return node.store
        return f"{kind}:{self._folder.place(f'{node.name}-{name}')}"
