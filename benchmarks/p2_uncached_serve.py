"""P2: what a Serve takes that asks the registry over the loopback, at the median.

Each server is a process of its own, and this process is the client of all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from benchmarks import bare
from benchmarks.contests import Contest, Figure, Measure, MeasurementFailed, Sides
from benchmarks.loads import median_milliseconds
from benchmarks.ours import echo_uncached, serve_request
from benchmarks.ratios import Target
from benchmarks.serving import Serving, dialled
from collector_reference.wire import dispatcher_pb2_grpc

__all__ = ["CONTESTS"]

CALLS = 500


async def _side(serving: Serving, stack: AsyncExitStack) -> Measure:
    stub = dispatcher_pb2_grpc.CollectiveDispatcherStub(await dialled(serving, stack))
    request = serve_request()

    async def call() -> None:
        reply = await stub.Serve(request)
        if reply.status.code != 200 or reply.output != request.input:
            raise MeasurementFailed(f"Serve answered {reply}")

    async def measure() -> Mapping[str, float]:
        return {"p50": await median_milliseconds(call, calls=CALLS)}

    return measure


@asynccontextmanager
async def _open() -> AsyncIterator[Sides]:
    async with AsyncExitStack() as stack:
        yield Sides(
            floor=await _side(bare.relay, stack),
            ours=await _side(echo_uncached, stack),
            again=await _side(bare.relay, stack),
        )


CONTESTS = (
    Contest(
        figures=(
            Figure(
                name="p50",
                what="Serve, one call at a time, validation by one loopback RPC per call and never "
                "cached, guard and statistics on, logging off; floor: bare server that calls "
                "ValidateMethod on its own port before it answers, each server a process",
                unit="ms",
                target=Target.at_most(1.10),
            ),
        ),
        open=_open,
    ),
)
