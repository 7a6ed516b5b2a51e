"""P5: how long 50 collectors take to become a full mesh, every connection usable both ways.

All nodes run before the clock does, in this process; stopping is not measured either.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import grpc

from benchmarks import bare
from benchmarks.contests import Contest, Figure, Measure, MeasurementFailed, Sides
from benchmarks.ours import NAMESPACE
from benchmarks.ratios import Target
from collector_harness.mesh.descriptors import make_room
from collector_reference import Collector, CollectorSettings
from collector_reference.wire import common_pb2, dispatcher_pb2, dispatcher_pb2_grpc

__all__ = ["CONTESTS"]

NODES = 50
PAIRS = NODES * (NODES - 1) // 2

Connecting = Callable[[AsyncExitStack], Awaitable[Callable[[], Awaitable[None]]]]
"""Starts the nodes, to be stopped by the stack, and returns what makes a mesh of them."""


class Joining(bare.Echo):
    """Answers Connect, and dials who asks."""

    def __init__(self) -> None:
        self.channels: list[grpc.aio.Channel] = []

    async def Connect(  # noqa: N802
        self,
        request: dispatcher_pb2.ConnectRequest,
        context: bare.Context,  # noqa: ARG002
    ) -> dispatcher_pb2.ConnectResponse:
        channel = grpc.aio.insecure_channel(request.address, options=bare.CHANNEL_OPTIONS)
        self.channels.append(channel)
        channel.get_state(try_to_connect=True)
        return dispatcher_pb2.ConnectResponse(
            status=common_pb2.Status(code=common_pb2.Status.HTTP_OK, message="OK"),
            connection_id=str(len(self.channels)),
            shared_namespaces=request.namespaces,
            target_collector_id=bare.NAME,
        )


async def _bare(stack: AsyncExitStack) -> Callable[[], Awaitable[None]]:
    nodes: list[tuple[Joining, str]] = []
    for _ in range(NODES):
        servicer = Joining()
        server, address = await bare.start(
            lambda server, servicer=servicer: (  # type: ignore[misc]
                dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(servicer, server)
            )
        )
        stack.push_async_callback(server.stop, None)
        nodes.append((servicer, address))

    async def close() -> None:
        channels = [channel for servicer, _ in nodes for channel in servicer.channels]
        await asyncio.gather(*(channel.close() for channel in channels))

    stack.push_async_callback(close)

    async def join(one: tuple[Joining, str], other: tuple[Joining, str]) -> None:
        channel = grpc.aio.insecure_channel(other[1], options=bare.CHANNEL_OPTIONS)
        one[0].channels.append(channel)
        reply = await dispatcher_pb2_grpc.CollectiveDispatcherStub(channel).Connect(
            dispatcher_pb2.ConnectRequest(
                collector_id=bare.NAME, address=one[1], namespaces=[NAMESPACE]
            )
        )
        if reply.status.code != 200:
            raise MeasurementFailed(f"Connect answered {reply}")

    async def connect() -> None:
        await asyncio.gather(
            *(join(one, other) for number, one in enumerate(nodes) for other in nodes[number + 1 :])
        )
        channels = [channel for servicer, _ in nodes for channel in servicer.channels]
        if len(channels) != 2 * PAIRS:
            raise MeasurementFailed(f"{len(channels)} channels instead of {2 * PAIRS}")
        await asyncio.gather(*(channel.channel_ready() for channel in channels))

    return connect


async def _ours(stack: AsyncExitStack) -> Callable[[], Awaitable[None]]:
    nodes = [
        Collector(
            CollectorSettings(
                collector_id=f"node{number}",
                namespaces=(NAMESPACE,),
                refusal_window=timedelta(0),
            )
        )
        for number in range(NODES)
    ]
    await asyncio.gather(*(node.start() for node in nodes))

    async def stop() -> None:
        await asyncio.gather(*(node.disconnect() for node in nodes))
        await asyncio.gather(*(node.stop() for node in nodes))

    stack.push_async_callback(stop)

    async def connect() -> None:
        await asyncio.gather(
            *(
                one.connect_to(other.address)
                for number, one in enumerate(nodes)
                for other in nodes[number + 1 :]
            )
        )
        waiting = list(nodes)
        while waiting:
            waiting = [node for node in waiting if not _is_whole(node)]
            await asyncio.sleep(0.002 if waiting else 0)

    return connect


def _is_whole(node: Collector) -> bool:
    connections = node.connections()
    return len(connections) == NODES - 1 and all(each.established for each in connections)


def _side(connecting: Connecting) -> Measure:
    async def measure() -> Mapping[str, float]:
        async with AsyncExitStack() as stack:
            connect = await connecting(stack)
            started = time.perf_counter()
            await connect()
            return {"time": (time.perf_counter() - started) * 1000}

    return measure


@asynccontextmanager
async def _open() -> AsyncIterator[Sides]:
    make_room(8 * PAIRS, what="a full mesh of 50 collectors")
    yield Sides(floor=_side(_bare), ours=_side(_ours), again=_side(_bare))


CONTESTS = (
    Contest(
        figures=(
            Figure(
                name="time",
                what="50 running collectors in process become a full mesh: 1,225 connections, all "
                "established from both sides; validation on, logging off; floor: 50 bare servers, "
                "as many channels from both sides and as many Connect RPCs",
                unit="ms",
                target=Target.at_most(1.3),
            ),
        ),
        open=_open,
    ),
)
