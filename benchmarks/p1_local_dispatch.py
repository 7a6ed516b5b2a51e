"""P1: how many calls per second Dispatch serves locally, with the registry's answer cached.

Each server is a process of its own, and this process is the client of all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from benchmarks import bare
from benchmarks.contests import Contest, Figure, Measure, MeasurementFailed, Sides
from benchmarks.loads import rate
from benchmarks.ours import dispatch_request, echo_cached
from benchmarks.ratios import Target
from benchmarks.serving import Serving, dialled
from collector_reference.wire import dispatcher_pb2_grpc

__all__ = ["CONTESTS"]

STREAMS = 16
WINDOW = timedelta(seconds=1)


async def _side(serving: Serving, stack: AsyncExitStack) -> Measure:
    stub = dispatcher_pb2_grpc.CollectiveDispatcherStub(await dialled(serving, stack))
    request = dispatch_request()

    async def call() -> None:
        reply = await stub.Dispatch(request)
        if reply.status.code != 200 or reply.output != request.input:
            raise MeasurementFailed(f"Dispatch answered {reply}")

    async def measure() -> Mapping[str, float]:
        return {"rate": await rate(call, streams=STREAMS, window=WINDOW)}

    return measure


@asynccontextmanager
async def _open() -> AsyncIterator[Sides]:
    async with AsyncExitStack() as stack:
        yield Sides(
            floor=await _side(bare.echo, stack),
            ours=await _side(echo_cached, stack),
            again=await _side(bare.echo, stack),
        )


CONTESTS = (
    Contest(
        figures=(
            Figure(
                name="rate",
                what="Dispatch served locally at 16 streams, validation on and cached, guard and "
                "statistics on, logging off; floor: bare typed echo of the same messages, each "
                "server a process",
                unit="calls/s",
                target=Target.at_least(0.85),
            ),
        ),
        open=_open,
    ),
)
