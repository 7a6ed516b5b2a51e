"""Asking peers for their health, again and again, and connecting again to those that were lost.

What a peer that does not serve is left out of is decided by the table.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]

from collector_reference.dispatch.peers import Peer
from collector_reference.dispatch.tuning import HealthCheckSettings

__all__ = ["HealthChecks"]

_LOG = logging.getLogger(__name__)

_CHECK = "/grpc.health.v1.Health/Check"
_WIDTH = 64
"""The most questions at a time."""

# Silence, and what a collector says that is about to stop.
_DOES_NOT_SERVE = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)


class HealthChecks:
    """Keeps `Peer.serving` true to what the peers' health services say."""

    def __init__(
        self, settings: HealthCheckSettings, peers: Iterable[Peer], *, back: Callable[[Peer], None]
    ) -> None:
        """`peers` yields those of the moment whenever it is iterated over; `back` is told of one
        that serves again.
        """
        self._limit = settings.limit.total_seconds()
        self._interval = settings.interval.total_seconds()
        self._peers = peers
        self._back = back

    async def run(self) -> None:
        """Asks all of them, round after round, until it is cancelled."""
        while True:
            # Collectors that start together do not ask together.
            await asyncio.sleep(self._interval * random.uniform(0.8, 1.2))
            places = asyncio.Semaphore(_WIDTH)

            async def check(peer: Peer, places: asyncio.Semaphore = places) -> None:
                async with places:
                    await self.check(peer)

            async with asyncio.TaskGroup() as group:
                for peer in self._peers:
                    group.create_task(check(peer))

    async def check(self, peer: Peer) -> None:
        """Asks one peer; it serves unless it says otherwise or is silent (OPS-001).

        A peer that has no health service, or does not let this collector ask it, serves.
        """
        if not peer.is_ready():
            peer.begin_connecting()
            return
        ask: grpc.aio.UnaryUnaryMultiCallable[
            health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
        ] = peer.channel.unary_unary(
            _CHECK,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await ask(health_pb2.HealthCheckRequest(), timeout=self._limit)
        except grpc.aio.AioRpcError as error:
            if not peer.is_ready():
                # The connection broke meanwhile: that is seen elsewhere, and says no more.
                return
            serving = error.code() not in _DOES_NOT_SERVE
        else:
            serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        if serving is not peer.serving:
            peer.serving = serving
            if serving:
                self._back(peer)
            _LOG.info(
                "collector '%s' at %s %s",
                peer.collector_id,
                peer.address,
                "serves again" if serving else "does not serve, and gets no calls until it does",
            )
