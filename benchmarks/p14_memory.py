"""P14: how much memory a collector takes, as one of many in a process, and as a process.

Each sample is a process of its own, which says what it takes: `python -m benchmarks.p14_memory
SIDE COUNT` starts so many servers, each with a first call, and prints two numbers in bytes.
Nothing of ours is imported here, so that the process of a plain server is free of it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from benchmarks.contests import Contest, Figure, Measure, MeasurementFailed, Sides
from benchmarks.ratios import Target

__all__ = ["CONTESTS"]

MANY = 100
MEGABYTE = 1024 * 1024


def _measure(side: str, count: int, figure: str) -> Measure:
    async def run() -> float:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.p14_memory",
            side,
            str(count),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise MeasurementFailed(f"{side} with {count} servers ended with {process.returncode}")
        whole, each = map(float, output.split())
        return {"whole": whole, "each": each}[figure] / MEGABYTE

    async def measure() -> Mapping[str, float]:
        return {figure: await run()}

    return measure


@asynccontextmanager
async def _open(floor: str, count: int, figure: str) -> AsyncIterator[Sides]:
    yield Sides(
        floor=_measure(floor, count, figure),
        ours=_measure("ours", count, figure),
        again=_measure(floor, count, figure),
    )


def _contest(floor: str, count: int, figure: str, what: str) -> Contest:
    return Contest(
        figures=(Figure(name=figure, what=what, unit="MB", target=Target.at_most(1.5)),),
        open=partial(_open, floor, count, figure),
    )


_EACH = (
    "resident memory that one more collector takes in a process, of 100, each after a first health "
    "check; floor: one more bare server with the same five services"
)

CONTESTS = (
    _contest("bare", MANY, "each", _EACH),
    _contest("proven", MANY, "each", f"{_EACH} and a loopback channel that was used, as ours has"),
    _contest(
        "plain",
        1,
        "whole",
        "resident memory of a process with one collector, after a first health check; floor: of "
        "one with a bare server that has health and reflection only, and imports nothing else",
    ),
)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _start(side: str, number: int) -> tuple[str, object]:
    if side == "plain":
        return await _start_plain()
    if side in ("bare", "proven"):
        from benchmarks import bare

        server, address = await bare.start_with_every_service()
        if side == "bare":
            return address, server
        loopback = grpc.aio.insecure_channel(address, options=bare.CHANNEL_OPTIONS)
        await health_pb2_grpc.HealthStub(loopback).Check(health_pb2.HealthCheckRequest())
        return address, (server, loopback)
    from collector_reference import Collector, CollectorSettings

    collector = Collector(CollectorSettings(collector_id=f"node{number}", namespaces=("bench",)))
    await collector.start()
    return collector.address, collector


async def _start_plain() -> tuple[str, object]:
    from grpc_health.v1 import health
    from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    reflection.enable_server_reflection((health.SERVICE_NAME,), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return f"127.0.0.1:{port}", server


async def _main(side: str, count: int) -> None:
    running: list[object] = []

    async def one(number: int) -> None:
        address, server = await _start(side, number)
        running.append(server)
        channel = grpc.aio.insecure_channel(
            address, options=(("grpc.use_local_subchannel_pool", 1),)
        )
        running.append(channel)
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())

    # What is made once per process is there before the first that is counted.
    await one(0)
    gc.collect()
    before = _resident()
    for number in range(1, count):
        await one(number)
    gc.collect()
    after = _resident()
    print(after, (after - before) / max(count - 1, 1), flush=True)
    # Stopping is not what is measured, and the process ends with what runs in it.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
