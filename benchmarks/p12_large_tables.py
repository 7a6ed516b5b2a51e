"""P12: whether a million registered services and ten thousand peers slow a call down.

The floor is the same collector with ten of each. One call has a registered service validated
over the loopback, uncached, another goes to one of the peers. Collectors, their caller and the
peers, which have no channels and answer at once, share this process.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from benchmarks import bare
from benchmarks.contests import Contest, Figure, Measure, MeasurementFailed, Sides
from benchmarks.loads import median_milliseconds
from benchmarks.ratios import Target
from collector_reference import Collector, CollectorSettings, MemoryStore
from collector_reference.registry.sqlite import SqliteStore
from collector_reference.registry.store import RegistryStore, ServiceRecord, service_record
from collector_reference.wire import dispatcher_pb2_grpc
from collector_reference.wire.common_pb2 import ServiceTypeRef, Status
from collector_reference.wire.dispatcher_pb2 import (
    ConnectRequest,
    DispatchRequest,
    ServeRequest,
    ServeResponse,
)

__all__ = ["CONTESTS"]

FEW = 10
SERVICES = 1_000_000
PEERS = 10_000
CALLS = 300
KEPT, SHARED = "kept", "shared"

StoreOf = Callable[[int, Path], Awaitable[RegistryStore]]
"""Makes a store with so many services, in that folder."""


class _NoChannel:
    """What a peer of this benchmark has in the place of a channel: always up, answers at once."""

    def __init__(self, collector_id: str) -> None:
        self._answer = ServeResponse(status=Status(code=Status.HTTP_OK), executor_id=collector_id)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: ARG002
        return grpc.ChannelConnectivity.READY

    def unary_unary(self, *_: object, **__: object) -> Callable[..., Awaitable[ServeResponse]]:
        return self._serve

    async def _serve(self, *_: object, **__: object) -> ServeResponse:
        return self._answer

    async def close(self, *_: object) -> None:
        return


def _record(number: int) -> ServiceRecord:
    descriptor = ServiceDescriptorProto(name=f"bench.Service{number}")
    descriptor.method.add(name="Call")
    return service_record(KEPT, descriptor)


async def _in_memory(count: int, folder: Path) -> RegistryStore:  # noqa: ARG001
    store = MemoryStore()
    for number in range(count):
        store.declare(_record(number))
    return store


async def _in_a_file(count: int, folder: Path) -> RegistryStore:
    path = folder / f"{count}-{random.getrandbits(64)}.db"
    await SqliteStore(path).close()
    database = sqlite3.connect(path)
    with database:
        database.executemany(
            "INSERT INTO services (namespace, service_name, message) VALUES (?, ?, ?)",
            (
                (KEPT, record.service_name, record.message.SerializeToString())
                for record in map(_record, range(count))
            ),
        )
    database.close()
    return SqliteStore(path)


async def _side(
    store_of: StoreOf, services: int, peers: int, folder: Path, stack: AsyncExitStack
) -> Measure:
    settings = CollectorSettings(
        collector_id="hub",
        namespaces=(SHARED,),
        validation_cache=timedelta(0),
        max_connections=PEERS,
    )
    collector = Collector(settings, store=await store_of(services, folder))
    await stack.enter_async_context(collector)
    _add_peers(collector, peers)
    channel = await stack.enter_async_context(
        grpc.aio.insecure_channel(collector.address, options=bare.CHANNEL_OPTIONS)
    )
    stub = dispatcher_pb2_grpc.CollectiveDispatcherStub(channel)
    chosen = random.Random(services)
    forwarded = DispatchRequest(
        namespace=SHARED, service=ServiceTypeRef(service_name="S"), method_name="M"
    )

    async def call() -> None:
        name = f"bench.Service{chosen.randrange(services)}"
        served = await stub.Serve(
            ServeRequest(
                namespace=KEPT, service=ServiceTypeRef(service_name=name), method_name="Call"
            )
        )
        # Registered, and without a handler: what is measured ends there (SRV-005).
        if "not found in namespace" not in served.status.message and (
            "namespace 'kept' not found" not in served.status.message
        ):
            raise MeasurementFailed(f"Serve answered {served}")
        routed = await stub.Dispatch(forwarded)
        if routed.status.code != 200:
            raise MeasurementFailed(f"Dispatch answered {routed}")

    async def measure() -> Mapping[str, float]:
        return {"p50": await median_milliseconds(call, calls=CALLS)}

    return measure


def _add_peers(collector: Collector, count: int) -> None:
    connections: Any = collector._connections
    dial = connections._dial
    for number in range(count):
        peer = f"peer-{number}"
        connections._dial = lambda _address, peer=peer: _NoChannel(peer)
        answer = connections.accept(
            ConnectRequest(
                collector_id=peer, address=f"127.0.0.1:{number + 1}", namespaces=[SHARED]
            )
        )
        if answer.status.code != 200:
            raise MeasurementFailed(f"Connect answered {answer}")
    connections._dial = dial


@asynccontextmanager
async def _open(store_of: StoreOf) -> AsyncIterator[Sides]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield Sides(
            floor=await _side(store_of, FEW, FEW, folder, stack),
            ours=await _side(store_of, SERVICES, PEERS, folder, stack),
            again=await _side(store_of, FEW, FEW, folder, stack),
        )


def _contest(store: str, store_of: StoreOf) -> Contest:
    figure = Figure(
        name="p50",
        what=f"Serve of a random one of 1,000,000 services {store}, validated over the loopback "
        "and never cached, and Dispatch to one of 10,000 peers without channels; floor: the same "
        "with 10 services and 10 peers, in process",
        unit="ms",
        target=Target.at_most(1.1),
    )
    return Contest(figures=(figure,), open=partial(_open, store_of))


CONTESTS = (_contest("in memory", _in_memory), _contest("in a SQLite file", _in_a_file))
