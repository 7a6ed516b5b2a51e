"""P3: what a Dispatch takes that another collector executes, one hop away, small and large.

Each server is a process of its own, also the one that executes; this process is the
client of all those that forward.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

import grpc

from benchmarks import bare
from benchmarks.contests import Contest, Figure, Measure, MeasurementFailed, Sides
from benchmarks.loads import median_milliseconds, rate
from benchmarks.ours import NAMESPACE, dispatch_request, echo_cached
from benchmarks.ratios import Target
from benchmarks.serving import Serving, dialled, served
from collector_reference import Collector, CollectorSettings
from collector_reference.wire import common_pb2, dispatcher_pb2, dispatcher_pb2_grpc

__all__ = ["CONTESTS", "bare_hop", "our_hop"]

CALLS = 300
STREAMS = 16
WINDOW = timedelta(seconds=1)
LARGE = 64 * 1024


class Hop(bare.Echo):
    """Answers Dispatch with what another server's Serve answers."""

    def __init__(self, far: dispatcher_pb2_grpc.CollectiveDispatcherAsyncStub) -> None:
        self._far = far

    async def Dispatch(  # noqa: N802
        self,
        request: dispatcher_pb2.DispatchRequest,
        context: bare.Context,  # noqa: ARG002
    ) -> dispatcher_pb2.DispatchResponse:
        served = await self._far.Serve(
            dispatcher_pb2.ServeRequest(
                namespace=request.namespace,
                service=request.service,
                method_name=request.method_name,
                input=request.input,
            )
        )
        return dispatcher_pb2.DispatchResponse(
            status=common_pb2.Status(code=served.status.code, message=served.status.message),
            output=served.output,
            handled_by_collector_id=served.executor_id,
        )


@asynccontextmanager
async def bare_hop() -> AsyncIterator[str]:
    """Serves `Hop` in front of a bare echo in a process of its own, and yields its address."""
    async with (
        served(bare.echo) as far,
        grpc.aio.insecure_channel(far, options=bare.CHANNEL_OPTIONS) as channel,
    ):
        servicer = Hop(  # type: ignore[abstract]
            dispatcher_pb2_grpc.CollectiveDispatcherStub(channel)
        )
        server, address = await bare.start(
            lambda server: dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(
                servicer, server
            )
        )
        try:
            yield address
        finally:
            await server.stop(None)


@asynccontextmanager
async def our_hop() -> AsyncIterator[str]:
    """Serves a collector without handlers, connected to one that echoes in a process of its own."""
    settings = CollectorSettings(collector_id="hub", namespaces=(NAMESPACE,))
    async with served(echo_cached) as far, Collector(settings) as hub:
        await hub.connect_to(far)
        yield hub.address


async def _side(serving: Serving, payload: str, stack: AsyncExitStack) -> Measure:
    stub = dispatcher_pb2_grpc.CollectiveDispatcherStub(await dialled(serving, stack))
    request = dispatch_request(payload)

    async def call() -> None:
        reply = await stub.Dispatch(request)
        if reply.status.code != 200 or reply.output != request.input:
            raise MeasurementFailed(f"Dispatch answered {reply.status}")

    async def measure() -> Mapping[str, float]:
        return {
            "p50": await median_milliseconds(call, calls=CALLS),
            "rate": await rate(call, streams=STREAMS, window=WINDOW),
        }

    return measure


@asynccontextmanager
async def _open(payload: str) -> AsyncIterator[Sides]:
    async with AsyncExitStack() as stack:
        yield Sides(
            floor=await _side(bare_hop, payload, stack),
            ours=await _side(our_hop, payload, stack),
            again=await _side(bare_hop, payload, stack),
        )


def _contest(size: str, payload: str) -> Contest:
    on = (
        f"Dispatch over one hop with {size}, {{}}, validation on and cached, guard and statistics "
        "on, logging off; floor: bare server that calls Serve of another bare one, each server a "
        "process"
    )
    return Contest(
        figures=(
            Figure(
                name="p50",
                what=on.format("one call at a time"),
                unit="ms",
                target=Target.at_most(1.10),
            ),
            Figure(
                name="rate",
                what=on.format("16 streams"),
                unit="calls/s",
                target=Target.at_least(0.90),
            ),
        ),
        open=partial(_open, payload),
    )


CONTESTS = (_contest("4 bytes", "ping"), _contest("64 KiB", "x" * LARGE))
