"""P13: how many registrations per second reach the disk, with 16 clients.

The floor has the same schema and the same group commit, written with bare sqlite3. Once over
gRPC, each server a process of its own; and once the stores alone, in this process.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from benchmarks import bare
from benchmarks.contests import Contest, Figure, Measure, MeasurementFailed, Sides
from benchmarks.loads import rate
from benchmarks.ratios import Target
from benchmarks.serving import Serving, dialled
from collector_reference import Collector, CollectorSettings
from collector_reference.registry.notation import SqliteRegistry
from collector_reference.registry.sqlite import SqliteStore
from collector_reference.registry.store import service_record
from collector_reference.wire import common_pb2, registry_pb2, registry_pb2_grpc

__all__ = ["CONTESTS"]

CLIENTS = 16
WINDOW = timedelta(seconds=1)
NAMESPACE = "bench"

_SCHEMA = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE services (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        namespace TEXT NOT NULL,
        service_name TEXT NOT NULL,
        message BLOB NOT NULL,
        UNIQUE (namespace, service_name)
    );
    CREATE INDEX services_in_order ON services (namespace, id);
"""
_INSERT = "INSERT INTO services (namespace, service_name, message) VALUES (?, ?, ?)"


class _BareStore:
    """A thread that commits together what waits together, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._queue: queue.SimpleQueue[tuple[tuple[str, str, bytes], asyncio.Future[None]] | None]
        self._queue = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    async def add(self, name: str, message: bytes) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put(((NAMESPACE, name, message), done))
        await done

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._database.close()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while not self._queue.empty():
                entry = self._queue.get()
                if entry is None:
                    return
                batch.append(entry)
            self._database.execute("BEGIN IMMEDIATE")
            for row, _ in batch:
                self._database.execute(_INSERT, row)
            self._database.execute("COMMIT")
            self._loop.call_soon_threadsafe(_resolve, [done for _, done in batch])


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


class _BareRegistry(registry_pb2_grpc.CollectorRegistryServicer):
    def __init__(self, store: _BareStore) -> None:
        self._store = store

    async def RegisterService(  # noqa: N802  the contract's name
        self,
        request: registry_pb2.RegisterServiceRequest,
        context: grpc.aio.ServicerContext[object, object],  # noqa: ARG002
    ) -> registry_pb2.RegisterServiceResponse:
        descriptor = request.service_descriptor
        await self._store.add(descriptor.name, request.SerializeToString())
        return registry_pb2.RegisterServiceResponse(
            status=common_pb2.Status(message="OK"),
            service_id=f"{request.namespace}/{descriptor.name}",
            registered_methods=[method.name for method in descriptor.method],
        )


@asynccontextmanager
async def bare_registry() -> AsyncIterator[str]:
    """Serves the floor, and yields its address."""
    with tempfile.TemporaryDirectory() as folder:
        store = _BareStore(Path(folder) / "bare.db")
        server = grpc.aio.server(options=bare.SERVER_OPTIONS)
        registry_pb2_grpc.add_CollectorRegistryServicer_to_server(
            _BareRegistry(store),  # type: ignore[abstract]
            server,
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)
            store.close()


@asynccontextmanager
async def durable_collector() -> AsyncIterator[str]:
    """Serves a collector whose registrations are kept in a file, and yields its address."""
    with tempfile.TemporaryDirectory() as folder:
        registry = SqliteRegistry(path=Path(folder) / "ours.db")
        async with Collector(CollectorSettings(collector_id="ours", registry=registry)) as ours:
            yield ours.address


def _descriptor(number: int) -> ServiceDescriptorProto:
    descriptor = ServiceDescriptorProto(name=f"bench.Service{number}")
    descriptor.method.add(name="Call", input_type=".bench.Request", output_type=".bench.Reply")
    return descriptor


async def _over_grpc(serving: Serving, stack: AsyncExitStack) -> Measure:
    stub = registry_pb2_grpc.CollectorRegistryStub(await dialled(serving, stack))
    numbers = itertools.count()

    async def register() -> None:
        request = registry_pb2.RegisterServiceRequest(
            namespace=NAMESPACE, service_descriptor=_descriptor(next(numbers))
        )
        reply = await stub.RegisterService(request)
        if list(reply.registered_methods) != ["Call"]:
            raise MeasurementFailed(f"RegisterService answered {reply}")

    return _measured(register)


async def _bare_alone(stack: AsyncExitStack) -> Measure:
    store = _BareStore(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "bare.db")
    stack.callback(store.close)
    numbers = itertools.count()

    async def register() -> None:
        # The record is made on both sides: what is measured is how it is kept.
        record = service_record(NAMESPACE, _descriptor(next(numbers)))
        await store.add(record.service_name, record.message.SerializeToString())

    return _measured(register)


async def _ours_alone(stack: AsyncExitStack) -> Measure:
    store = SqliteStore(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ours.db")
    stack.push_async_callback(store.close)
    numbers = itertools.count()

    async def register() -> None:
        await store.add_service(service_record(NAMESPACE, _descriptor(next(numbers))))

    return _measured(register)


def _measured(register: Callable[[], Awaitable[None]]) -> Measure:
    async def measure() -> Mapping[str, float]:
        return {"rate": await rate(register, streams=CLIENTS, window=WINDOW)}

    return measure


@asynccontextmanager
async def _served() -> AsyncIterator[Sides]:
    async with AsyncExitStack() as stack:
        yield Sides(
            floor=await _over_grpc(bare_registry, stack),
            ours=await _over_grpc(durable_collector, stack),
            again=await _over_grpc(bare_registry, stack),
        )


@asynccontextmanager
async def _alone() -> AsyncIterator[Sides]:
    async with AsyncExitStack() as stack:
        yield Sides(
            floor=await _bare_alone(stack),
            ours=await _ours_alone(stack),
            again=await _bare_alone(stack),
        )


def _figure(what: str) -> Figure:
    return Figure(name="rate", what=what, unit="registrations/s", target=Target.at_least(0.85))


CONTESTS = (
    Contest(
        figures=(
            _figure(
                "RegisterService by 16 clients on SQLite (WAL, synchronous FULL), guard and "
                "statistics on, logging off; floor: bare server and bare sqlite3 with the same "
                "group commit, each server a process"
            ),
        ),
        open=_served,
    ),
    Contest(
        figures=(
            _figure(
                "the SQLite store alone, 16 tasks, records made on both sides; floor: bare "
                "sqlite3 with the same group commit, in process"
            ),
        ),
        open=_alone,
    ),
)
