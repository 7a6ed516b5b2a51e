"""P6: how long 50 collectors take, each a process of its own, to start and to answer a first RPC.

Stopping them is not measured. The floor starts 50 interpreters, each with a bare server. Ours
begins without a forkserver: its start and its imports are in the figure.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from benchmarks import bare
from benchmarks.contests import Contest, Figure, MeasurementFailed, Sides
from benchmarks.ours import NAMESPACE
from benchmarks.ratios import Target
from benchmarks.serving import served
from collector_harness.launchers.base import Launch
from collector_harness.launchers.forkserver import the_forkserver
from collector_harness.launchers.process import ProcessNode
from collector_harness.targets import REFERENCE_PROCESS
from collector_harness.topology.values import Node

__all__ = ["CONTESTS"]

NODES = 50
READY = timedelta(seconds=60)


async def _asked(address: str) -> None:
    async with grpc.aio.insecure_channel(address, options=bare.CHANNEL_OPTIONS) as channel:
        reply = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), wait_for_ready=True
        )
        if reply.status != health_pb2.HealthCheckResponse.SERVING:
            raise MeasurementFailed(f"{address} answered {reply}")


async def _floor() -> Mapping[str, float]:
    async with AsyncExitStack() as stack:

        async def start() -> None:
            await _asked(await stack.enter_async_context(served(bare.with_every_service)))

        started = time.perf_counter()
        await asyncio.gather(*(start() for _ in range(NODES)))
        return {"time": (time.perf_counter() - started) * 1000}


async def _ours() -> Mapping[str, float]:
    the_forkserver().close()
    nodes = [
        ProcessNode(f"node{number}", REFERENCE_PROCESS, ready_limit=READY)
        for number in range(NODES)
    ]

    async def start(node: ProcessNode) -> None:
        await node.open()
        await node.start(
            Launch(
                node=Node(
                    name=node.name,
                    namespaces=(NAMESPACE,),
                    environment=(("COLLECTOR_CALL_LOG", "off"),),
                )
            )
        )
        await _asked(node.address)

    started = time.perf_counter()
    try:
        await asyncio.gather(*map(start, nodes))
        taken = time.perf_counter() - started
        for node in nodes:
            if node.pid is None or os.getpgid(node.pid) != node.pid:
                raise MeasurementFailed(f"{node.name} is no process of its own")
        return {"time": taken * 1000}
    finally:
        await asyncio.gather(*(node.stop(timedelta(0)) for node in nodes))


@asynccontextmanager
async def _open() -> AsyncIterator[Sides]:
    try:
        yield Sides(floor=_floor, ours=_ours, again=_floor)
    finally:
        the_forkserver().close()


CONTESTS = (
    Contest(
        figures=(
            Figure(
                name="time",
                what="start 50 collectors as processes by a forkserver, its own start included, "
                "readiness proven over each one's loopback, and a first health check on all; "
                "validation on, call log off; floor: 50 plain subprocesses, each with a bare "
                "server of the same five services, and the same check",
                unit="ms",
                target=Target.at_most(0.2),
            ),
        ),
        open=_open,
    ),
)
