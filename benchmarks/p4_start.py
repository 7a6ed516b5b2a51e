"""P4: how long 50 collectors in one process take to start and to answer a first RPC each.

Stopping them is not measured.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks import bare
from benchmarks.contests import Contest, Figure, Measure, MeasurementFailed, Sides
from benchmarks.ours import NAMESPACE
from benchmarks.ratios import Target
from collector_reference import Collector, CollectorSettings

__all__ = ["CONTESTS"]

NODES = 50
REPEATS = 5

Started = tuple[str, Callable[[], Awaitable[None]]]
"""The address of what was started, and how it is stopped."""


async def _start_bare(number: int) -> Started:  # noqa: ARG001
    server, address = await bare.start_with_every_service()

    async def stop() -> None:
        await server.stop(None)

    return address, stop


async def _start_ours(number: int) -> Started:
    collector = Collector(CollectorSettings(collector_id=f"node{number}", namespaces=(NAMESPACE,)))
    await collector.start()
    return collector.address, collector.kill


def _side(start: Callable[[int], Awaitable[Started]]) -> Measure:
    async def measure() -> Mapping[str, float]:
        return {"time": statistics.median([await _seconds(start) * 1000 for _ in range(REPEATS)])}

    return measure


async def _seconds(start: Callable[[int], Awaitable[Started]]) -> float:
    channels: list[grpc.aio.Channel] = []
    stops: list[Callable[[], Awaitable[None]]] = []

    async def start_and_ask(number: int) -> None:
        address, stop = await start(number)
        stops.append(stop)
        channel = grpc.aio.insecure_channel(address, options=bare.CHANNEL_OPTIONS)
        channels.append(channel)
        reply = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), wait_for_ready=True
        )
        if reply.status != health_pb2.HealthCheckResponse.SERVING:
            raise MeasurementFailed(f"{address} answered {reply}")

    started = time.perf_counter()
    try:
        await asyncio.gather(*(start_and_ask(number) for number in range(NODES)))
        return time.perf_counter() - started
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))
        await asyncio.gather(*(stop() for stop in stops))


@asynccontextmanager
async def _open() -> AsyncIterator[Sides]:
    yield Sides(floor=_side(_start_bare), ours=_side(_start_ours), again=_side(_start_bare))


CONTESTS = (
    Contest(
        figures=(
            Figure(
                name="time",
                what="start 50 collectors in process, readiness proven over each one's loopback, "
                "and a first health check on all; validation on, logging off; floor: 50 bare "
                "servers with the same five services, and the same check",
                unit="ms",
                target=Target.at_most(1.3),
            ),
        ),
        open=_open,
    ),
)
