"""P4: how long 50 collectors in one process take to start and to answer a first RPC each.

Stopping them is not measured. A collector proves its wiring by a call to its own
port before it is ready; a second floor does that too, and so tells what the proof
costs from what is ours.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from benchmarks import bare
from benchmarks.contests import Contest, Figure, Measure, MeasurementFailed, Sides
from benchmarks.ours import NAMESPACE
from benchmarks.ratios import Target
from collector_reference import Collector, CollectorSettings
from collector_reference.wire import registry_pb2, registry_pb2_grpc

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


async def _start_proven(number: int) -> Started:  # noqa: ARG001
    server, address = await bare.start_with_every_service()
    loopback = grpc.aio.insecure_channel(address, options=bare.CHANNEL_OPTIONS)
    answer = await registry_pb2_grpc.CollectorRegistryStub(loopback).ValidateMethod(
        registry_pb2.ValidateMethodRequest(namespace=NAMESPACE, service_name="a", method_name="b")
    )
    if not answer.is_valid:
        raise MeasurementFailed(f"{address} answered {answer}")

    async def stop() -> None:
        await loopback.close()
        await server.stop(None)

    return address, stop


async def _start_ours(number: int) -> Started:
    settings = CollectorSettings(
        collector_id=f"node{number}", namespaces=(NAMESPACE,), refusal_window=timedelta(0)
    )
    collector = Collector(settings)
    await collector.start()
    return collector.address, collector.stop


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
async def _open(floor: Callable[[int], Awaitable[Started]]) -> AsyncIterator[Sides]:
    yield Sides(floor=_side(floor), ours=_side(_start_ours), again=_side(floor))


_OURS = (
    "start 50 collectors in process, readiness proven over each one's loopback, and a first "
    "health check on all; validation on, logging off; floor: 50 bare servers with the same five "
    "services, and the same check"
)


def _contest(what: str, floor: Callable[[int], Awaitable[Started]]) -> Contest:
    figure = Figure(name="time", what=what, unit="ms", target=Target.at_most(1.3))
    return Contest(figures=(figure,), open=partial(_open, floor))


CONTESTS = (
    _contest(_OURS, _start_bare),
    _contest(f"{_OURS}, each after a call to itself over a loopback channel too", _start_proven),
)
