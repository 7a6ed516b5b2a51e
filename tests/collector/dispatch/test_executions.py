"""What was answered OK ran exactly once, and what failed at most once, whatever breaks meanwhile.

Collectors as processes behind doors that are cut and held shut; the processes are killed. A few
hundred calls here; `make executions` makes thousands.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.wrappers_pb2 import StringValue

from collector_reference import (
    BreakerSettings,
    Collector,
    CollectorSettings,
    HealthCheckSettings,
    RetrySettings,
    RoutingSettings,
)
from collector_reference.wire.common_pb2 import ServiceTypeRef
from collector_reference.wire.dispatcher_pb2 import DispatchRequest
from collector_reference.wire.dispatcher_pb2_grpc import CollectiveDispatcherStub

CALLS = int(os.environ.get("EXECUTIONS", "400"))
FAULTS = max(8, CALLS // 50)
STREAMS = 16
FAULT_KINDS = ("kill", "cut", "cut", "held, then cut", "held, then let go")
SCRIPT = Path(__file__).parent / "counting_collector.py"

PLAIN = RoutingSettings()
EVERYTHING = RoutingSettings(
    breaker=BreakerSettings(failures=3, open_time=timedelta(milliseconds=100)),
    retry=RetrySettings(attempts=5, first_pause=timedelta(milliseconds=20)),
    health_check=HealthCheckSettings(
        interval=timedelta(milliseconds=200), limit=timedelta(milliseconds=200)
    ),
)


@dataclass
class Worker:
    """A process behind a door: the address stays, however often the process dies."""

    name: str
    folder: Path
    process: asyncio.subprocess.Process | None = None
    place: tuple[str, int] = ("", 0)
    door: asyncio.Server | None = None
    pairs: set[asyncio.StreamWriter] = field(default_factory=set)
    passing: asyncio.Event = field(default_factory=asyncio.Event)
    links: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.door.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(SCRIPT),
            self.name,
            str(self.folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        host, _, port = (await self.process.stdout.readline()).decode().strip().rpartition(":")
        self.place = (host, int(port))
        self.passing.set()
        if self.door is None:
            self.door = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    def cut(self) -> None:
        """Resets every connection."""
        for writer in tuple(self.pairs):
            writer.transport.abort()

    async def stop(self) -> None:
        if self.door is not None:
            self.door.close()
        self.cut()
        if self.process is not None and self.process.returncode is None:
            await self.kill()
        await asyncio.gather(*self.links, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self.links.add(task)
        task.add_done_callback(self.links.discard)
        self.pairs.add(writer)
        try:
            back, forth = await asyncio.open_connection(*self.place)
        except OSError:
            writer.transport.abort()
            self.pairs.discard(writer)
            return
        self.pairs.add(forth)
        try:
            await asyncio.gather(self._pump(reader, forth), self._pump(back, writer))
        finally:
            for each in (writer, forth):
                self.pairs.discard(each)
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                # Nothing comes through a door that is held shut; it is only late.
                await self.passing.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


class Run:
    """The calls, what came of each, and what breaks meanwhile."""

    def __init__(self, hub: Collector, workers: list[Worker], chance: random.Random) -> None:
        self.hub = hub
        self.workers = workers
        self.chance = chance
        self.answered: dict[str, str] = {}
        self.faults: Counter[str] = Counter()
        self._next = 0
        self._broken = asyncio.Event()

    async def stream(self, stub: CollectiveDispatcherStub) -> None:
        while self._next < CALLS or not self._broken.is_set():
            key = str(self._next)
            self._next += 1
            self.answered[key] = await self.call(stub, key)
            if not self.answered[key].startswith("2"):
                # A refusal takes no time: do not spin while all doors are shut.
                await asyncio.sleep(0.01)

    async def call(self, stub: CollectiveDispatcherStub, key: str) -> str:
        payload = Any()
        payload.Pack(StringValue(value=key))
        target = self.chance.choice(["", "", *(worker.name for worker in self.workers)])
        try:
            reply = await stub.Dispatch(
                DispatchRequest(
                    namespace="orders",
                    service=ServiceTypeRef(service_name="Counting"),
                    method_name="Run",
                    input=payload,
                    target_collector_id=target,
                ),
                timeout=self.chance.choice([0.05, 2, 2, 2]),
            )
        except grpc.aio.AioRpcError as error:
            return error.code().name
        if reply.status.code == 200:
            assert reply.output == payload
        return str(reply.status.code)

    async def break_things(self) -> None:
        while self.faults.total() < FAULTS or len(self.faults) < 4:
            worker = self.chance.choice(self.workers)
            fault = self.chance.choice(FAULT_KINDS)
            self.faults[fault] += 1
            if fault == "kill":
                await worker.kill()
                await worker.start()
            elif fault == "cut":
                worker.cut()
            else:
                worker.passing.clear()
                await asyncio.sleep(self.chance.uniform(0.05, 0.5))
                if fault == "held, then cut":
                    worker.cut()
                worker.passing.set()
            await self.some_answers()
        self._broken.set()

    async def some_answers(self) -> None:
        """Waits for calls that end well, so that each fault meets traffic."""
        enough = self.ok() + 20
        while self.ok() < enough:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def ok(self) -> int:
        return sum(status == "200" for status in self.answered.values())


async def execute(folder: Path, routing: RoutingSettings, chance: random.Random) -> Run:
    async with contextlib.AsyncExitStack() as stack:
        workers = [Worker(name, folder) for name in ("a", "b", "c")]
        for worker in workers:
            stack.push_async_callback(worker.stop)
        await asyncio.gather(*(worker.start() for worker in workers))
        hub = Collector(
            CollectorSettings(
                collector_id="hub",
                namespaces=("orders",),
                connect=tuple(worker.address for worker in workers),
                routing=routing,
            )
        )
        await hub.start()
        stack.push_async_callback(hub.kill)
        channel = grpc.aio.insecure_channel(
            hub.address, options=(("grpc.use_local_subchannel_pool", 1),)
        )
        stack.push_async_callback(channel.close)
        stub = CollectiveDispatcherStub(channel)
        run = Run(hub, workers, chance)
        async with asyncio.TaskGroup() as group:
            group.create_task(run.break_things())
            for _ in range(STREAMS):
                group.create_task(run.stream(stub))
        return run


@pytest.mark.parametrize("routing", [PLAIN, EVERYTHING], ids=["plain", "everything on"])
def test_answered_is_exactly_once_and_failed_at_most_once(tmp_path, routing):
    """DSP-010, FLT-005"""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    run = asyncio.run(
        asyncio.wait_for(execute(tmp_path, routing, random.Random(seed)), 90 + CALLS / 20)
    )
    executions = Counter(key for log in tmp_path.iterdir() for key in log.read_text().splitlines())
    print(f"calls {Counter(run.answered.values())}, faults {run.faults}")
    assert len(run.answered) >= CALLS
    assert executions.keys() <= run.answered.keys()
    wrong = {
        key: (status, executions[key])
        for key, status in run.answered.items()
        if executions[key] > 1
        or (status == "200" and executions[key] != 1)
        or (status == "404" and executions[key] != 0)
    }
    assert wrong == {}
    # Things did break, and what broke did not stop the rest.
    assert run.ok() > CALLS / 4
    assert run.ok() < len(run.answered)
