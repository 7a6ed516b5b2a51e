"""P7: how long 50 collectors take to stop while calls hang that do not end by themselves.

The floor is the grace period itself, waited for on the same event loop: nothing
that lets calls end within it can take less.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import grpc

from benchmarks import bare
from benchmarks.contests import Contest, Figure, MeasurementFailed, Sides
from benchmarks.ours import METHOD, NAMESPACE, SERVICE, dispatch_request
from benchmarks.ratios import Target
from collector_reference import Collector, CollectorSettings, HandlerContext
from collector_reference.wire import dispatcher_pb2_grpc

__all__ = ["CONTESTS"]

NODES = 50
HUNG = 10
GRACE = timedelta(seconds=1)


async def _floor() -> Mapping[str, float]:
    started = time.perf_counter()
    await asyncio.sleep(GRACE.total_seconds())
    return {"time": (time.perf_counter() - started) * 1000}


async def _ours() -> Mapping[str, float]:
    hanging = asyncio.Semaphore(0)

    async def hang(value: object, context: HandlerContext) -> None:  # noqa: ARG001
        hanging.release()
        await asyncio.Event().wait()

    nodes = [
        Collector(
            CollectorSettings(collector_id=f"node{number}", namespaces=(NAMESPACE,), grace=GRACE)
        )
        for number in range(NODES)
    ]
    for node in nodes:
        node.register_service(NAMESPACE, SERVICE, METHOD, hang)
    await asyncio.gather(*(node.start() for node in nodes))
    channels = [
        grpc.aio.insecure_channel(node.address, options=bare.CHANNEL_OPTIONS)
        for node in nodes[:HUNG]
    ]
    calls = [
        asyncio.ensure_future(
            dispatcher_pb2_grpc.CollectiveDispatcherStub(channel).Dispatch(dispatch_request())
        )
        for channel in channels
    ]
    for _ in calls:
        await hanging.acquire()
    started = time.perf_counter()
    await asyncio.gather(*(node.stop() for node in nodes))
    taken = time.perf_counter() - started
    for call in calls:
        with suppress(grpc.aio.AioRpcError):
            raise MeasurementFailed(f"a call that hangs was answered {await call}")
    await asyncio.gather(*(channel.close() for channel in channels))
    return {"time": taken * 1000}


@asynccontextmanager
async def _open() -> AsyncIterator[Sides]:
    yield Sides(floor=_floor, ours=_ours, again=_floor)


CONTESTS = (
    Contest(
        figures=(
            Figure(
                name="time",
                what="stop 50 collectors in process, 10 of them with a call that never ends, grace "
                "1 s; logging off; floor: the grace period itself",
                unit="ms",
                target=Target.at_most_added(50),
            ),
        ),
        open=_open,
    ),
)
