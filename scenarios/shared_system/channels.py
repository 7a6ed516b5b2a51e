"""Channels to one service: made once, used in turn, made anew when the service has moved."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc

from shared_system.discovery import Place

__all__ = ["Channels"]


class Channels:
    """A pool, or with `keep=False` a channel for every call. Lives on one event loop."""

    def __init__(
        self,
        place: Place,
        *,
        size: int,
        keep: bool,
        balance: bool,
        credentials: grpc.ChannelCredentials | None = None,
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    ) -> None:
        """Without `credentials` the channels are not encrypted."""
        self._place = place
        self._size = size
        self._keep = keep
        self._options = _options(balance=balance)
        self._credentials = credentials
        self._interceptors = interceptors
        self._target = ""
        self._pool: tuple[grpc.aio.Channel, ...] = ()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def one(self, turn: int) -> AsyncIterator[grpc.aio.Channel]:
        """Lends the channel of a turn; that of the next number is another one, where there are
        several. Raises `Failure` where nobody knows the service's place.
        """
        target = await self._place.target()
        if not self._keep:
            async with self._channel(target) as channel:
                yield channel
            return
        if target != self._target:
            old, self._target = self._pool, target
            self._pool = tuple(self._channel(target) for _ in range(self._size))
            self._let_go(old)
        yield self._pool[turn % self._size]

    async def close(self) -> None:
        """Closes every channel; calls in flight are cancelled."""
        pool, self._pool, self._target = self._pool, (), ""
        await asyncio.gather(*(channel.close() for channel in pool), *self._closing)

    def _channel(self, target: str) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(target, self._options, interceptors=self._interceptors)
        return grpc.aio.secure_channel(
            target, self._credentials, self._options, interceptors=self._interceptors
        )

    def _let_go(self, channels: tuple[grpc.aio.Channel, ...]) -> None:
        """Closes channels once their calls in flight had time to end."""
        for channel in channels:
            task = asyncio.ensure_future(channel.close(grace=10))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _options(*, balance: bool) -> tuple[tuple[str, str | int], ...]:
    policy = "round_robin" if balance else "pick_first"
    return (
        ("grpc.service_config", json.dumps({"loadBalancingConfig": [{policy: {}}]})),
        ("grpc.use_local_subchannel_pool", 1),
        # Our own retries know which failures pass, and write a line for each.
        ("grpc.enable_retries", 0),
        # A service that was restarted is found again at once, not after gRPC's minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 2000),
        ("grpc.max_reconnect_backoff_ms", 1000),
        ("grpc.dns_min_time_between_resolutions_ms", 500),
        # A proxy that the environment names is for the world outside.
        ("grpc.enable_http_proxy", 0),
    )
