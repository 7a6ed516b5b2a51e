"""A played peer as a node of a mesh: a reference collector with the play before its services."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import grpc.aio

from collector_harness.errors import TargetFailed
from collector_harness.faults.front import Front
from collector_harness.launchers.base import Launch
from collector_harness.launchers.inprocess import InProcessNode
from collector_harness.peers.play import Play
from collector_harness.peers.values import PlayedPeer
from collector_reference import CollectorSettings

__all__ = ["PeerNode"]


class PeerNode(InProcessNode):
    """A peer that the harness plays. Its honest part is the reference collector."""

    def __init__(
        self,
        name: str,
        part: PlayedPeer,
        *,
        front: Front | None = None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        """Raises `InvalidInput` for answers that do not fit their RPC."""
        self.part = part
        """What it plays."""
        self.play = Play(name, part)
        """What it recorded."""
        # A front, so that a process can be told its address before it is up.
        super().__init__(name, front=front or Front(), interceptors=(self.play, *interceptors))

    async def until_asked(self, *, limit: timedelta, by: str) -> None:
        """Returns once somebody asked it to connect; raises `TargetFailed` after the limit."""
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await self.play.asked_to_connect()
        except TimeoutError as error:
            raise TargetFailed(
                f"node '{by}' did not ask the peer '{self.name}' to connect within "
                f"{limit.total_seconds():g} s",
                node=by,
            ) from error

    def _settings(self, launch: Launch) -> CollectorSettings:
        settings = super()._settings(launch)
        if self.part.collector_id is None:
            return settings
        return replace(settings, collector_id=self.part.collector_id)
