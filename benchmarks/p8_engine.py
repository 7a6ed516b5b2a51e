"""P8: how long the engine takes for 1,000 one-call scenarios that are loaded already.

Server and caller share one process and one event loop on every side. Measured is
from the running mesh or server to the last verdict.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import grpc

from benchmarks import bare, thousand
from benchmarks.contests import Contest, Figure, Measure, MeasurementFailed, Sides
from benchmarks.ratios import Target
from collector_harness.errors import ExitCode
from collector_harness.events import CaseFinished, Event, MeshStarted, Outcome
from collector_harness.mesh import Mesh
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import Case, parse_scenario
from collector_harness.targets import Reference
from collector_harness.topology import parse_topology
from collector_reference.wire import dispatcher_pb2_grpc

__all__ = ["CONTESTS"]

WIDTH = 16

Opening = Callable[[AsyncExitStack], Awaitable[str]]
"""Opens what a bare runner calls, and returns its address."""


class _Watch:
    """The reporter: notes when the mesh runs and when the last case is done."""

    def __init__(self) -> None:
        self.begun = self.ended = 0.0
        self.passed = 0

    def __call__(self, event: Event) -> None:
        match event:
            case MeshStarted():
                self.begun = time.perf_counter()
            case CaseFinished(outcome=Outcome.PASSED):
                self.passed += 1
                self.ended = time.perf_counter()


def _engine() -> Measure:
    cases: Sequence[Case] = [
        case
        for number in range(thousand.COUNT)
        for case in parse_scenario(thousand.scenario_text(number), f"{number}.scenario.yaml").cases
    ]

    async def measure() -> Mapping[str, float]:
        watch = _Watch()
        ended = await run_cases(cases, emit=watch, jobs=WIDTH, seed=1)
        if ended is not ExitCode.OK or watch.passed != thousand.COUNT:
            raise MeasurementFailed(f"{watch.passed} cases passed, and the run ended with {ended}")
        return {"time": (watch.ended - watch.begun) * 1000}

    return measure


async def _runner(opening: Opening, stack: AsyncExitStack) -> Measure:
    address = await opening(stack)
    channel = await stack.enter_async_context(
        grpc.aio.insecure_channel(address, options=bare.CHANNEL_OPTIONS)
    )
    stub = dispatcher_pb2_grpc.CollectiveDispatcherStub(channel)

    async def measure() -> Mapping[str, float]:
        waiting = iter(range(thousand.COUNT))

        async def work() -> None:
            for number in waiting:
                reply = await stub.Dispatch(
                    thousand.request(number), timeout=thousand.DEADLINE_SECONDS
                )
                thousand.check(reply, number)

        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(WIDTH):
                group.create_task(work())
        return {"time": (time.perf_counter() - started) * 1000}

    return measure


async def _bare_server(stack: AsyncExitStack) -> str:
    return await stack.enter_async_context(bare.echo())


async def _mesh(stack: AsyncExitStack) -> str:
    mesh = Mesh(parse_topology(thousand.TOPOLOGY, source="P8"), target=Reference())
    stack.push_async_callback(mesh.stop)
    await mesh.start()
    return mesh["hub"].address


@asynccontextmanager
async def _open(opening: Opening) -> AsyncIterator[Sides]:
    async with AsyncExitStack() as stack:
        yield Sides(
            floor=await _runner(opening, stack),
            ours=_engine(),
            again=await _runner(opening, stack),
        )


def _contest(floor: str, opening: Opening) -> Contest:
    figure = Figure(
        name="time",
        what="1,000 loaded one-call scenarios by the engine, 16 wide, on one shared mesh of one "
        "collector in process; validation, events and matching on, reports and logging off; "
        f"floor: bare asyncio runner that makes and checks the same calls to {floor}, in process",
        unit="ms",
        target=Target.at_most(1.5),
    )
    return Contest(figures=(figure,), open=partial(_open, opening))


CONTESTS = (
    _contest("a bare server", _bare_server),
    _contest("a collector of its own", _mesh),
)
