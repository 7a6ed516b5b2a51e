"""Runs asynchronous tests, and lends them collectors and peers that are gone afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as AnyPayload
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto
from google.protobuf.wrappers_pb2 import StringValue

from collector_harness.launchers.reaper import the_reaper
from collector_reference import Collector, CollectorSettings
from collector_reference.registry.notation import EtcdPlace
from collector_reference.wire import dispatcher_pb2_grpc, registry_pb2_grpc
from collector_reference.wire.common_pb2 import ServiceTypeRef, Status
from collector_reference.wire.dispatcher_pb2 import (
    ConnectRequest,
    ConnectResponse,
    DispatchRequest,
    DispatchResponse,
    ServeRequest,
    ServeResponse,
)
from collector_reference.wire.registry_pb2 import (
    RegisterServiceRequest,
    RegisterServiceResponse,
    ValidateMethodRequest,
    ValidateMethodResponse,
)

Launched = Callable[..., contextlib.AbstractContextManager[subprocess.Popen[str]]]
"""`launched(COLLECTOR_ID="west")`, with `stderr=subprocess.PIPE` where that is looked at, and with
arguments for Python in place of `-m collector_reference`."""

PROBE = "conformance.Probe"
LIMIT_SECONDS = 40


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a coroutine test on a loop of its own, and cleans its field up on the same loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run() -> None:
        field = pyfuncitem.funcargs.get("field")
        async with contextlib.AsyncExitStack() as stack:
            if isinstance(field, Field):
                stack.push_async_callback(field.close)
            async with asyncio.timeout(LIMIT_SECONDS):
                await pyfuncitem.obj(**arguments)

    asyncio.run(run())
    return True


class Caller:
    """Calls one collector with real messages over a channel of its own."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.aio.insecure_channel(
            address,
            options=(
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.max_receive_message_length", -1),
            ),
        )
        self.dispatcher = dispatcher_pb2_grpc.CollectiveDispatcherStub(self.channel)
        self.registry = registry_pb2_grpc.CollectorRegistryStub(self.channel)

    async def serve(
        self,
        namespace: str,
        service: str,
        method: str,
        payload: AnyPayload | str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - becomes the call's deadline
        **fields: Any,
    ) -> ServeResponse:
        return await self.dispatcher.Serve(
            ServeRequest(
                namespace=namespace,
                service=ServiceTypeRef(service_name=service),
                method_name=method,
                input=packed(payload),
                **fields,
            ),
            timeout=timeout,
        )

    async def dispatch(
        self,
        namespace: str,
        service: str,
        method: str,
        payload: AnyPayload | str | None = None,
        *,
        target: str = "",
        timeout: float | None = None,  # noqa: ASYNC109 - becomes the call's deadline
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> DispatchResponse:
        return await self.dispatcher.Dispatch(
            DispatchRequest(
                namespace=namespace,
                service=ServiceTypeRef(service_name=service),
                method_name=method,
                input=packed(payload),
                target_collector_id=target,
            ),
            timeout=timeout,
            metadata=metadata,
        )

    async def connect(
        self, collector_id: str, address: str, namespaces: tuple[str, ...] = ()
    ) -> ConnectResponse:
        return await self.dispatcher.Connect(
            ConnectRequest(collector_id=collector_id, address=address, namespaces=namespaces)
        )

    async def register(
        self, namespace: str, service: str, *methods: str
    ) -> RegisterServiceResponse:
        descriptor = ServiceDescriptorProto(name=service)
        for method in methods:
            descriptor.method.add(name=method)
        return await self.registry.RegisterService(
            RegisterServiceRequest(namespace=namespace, service_descriptor=descriptor)
        )

    async def validate(self, namespace: str, service: str, method: str) -> ValidateMethodResponse:
        return await self.registry.ValidateMethod(
            ValidateMethodRequest(namespace=namespace, service_name=service, method_name=method)
        )


class Peer(dispatcher_pb2_grpc.CollectiveDispatcherServicer):
    """A peer played by the test: it answers what it is told to, and remembers what it was asked."""

    def __init__(self, collector_id: str) -> None:
        self.collector_id = collector_id
        self.served: list[ServeRequest] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.asked: list[ConnectRequest] = []
        self.address = ""
        self.on_serve: Callable[[ServeRequest, Any], Awaitable[ServeResponse]] = self.answer_ok
        self.on_connect: Callable[[ConnectRequest, Any], Awaitable[ConnectResponse]] = (
            self.accept_connection
        )

    async def answer_ok(self, request: ServeRequest, context: Any) -> ServeResponse:
        return ServeResponse(
            status=Status(code=Status.HTTP_OK, message="OK"),
            output=request.input if request.HasField("input") else None,
            executor_id=self.collector_id,
        )

    async def accept_connection(self, request: ConnectRequest, context: Any) -> ConnectResponse:
        return ConnectResponse(
            status=Status(code=Status.HTTP_OK, message="OK"),
            connection_id="played",
            shared_namespaces=request.namespaces,
            target_collector_id=self.collector_id,
        )

    async def Serve(self, request: ServeRequest, context: Any) -> ServeResponse:
        self.served.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        return await self.on_serve(request, context)

    async def Connect(self, request: ConnectRequest, context: Any) -> ConnectResponse:
        self.asked.append(request)
        return await self.on_connect(request, context)

    async def Dispatch(self, request: DispatchRequest, context: Any) -> DispatchResponse:
        raise NotImplementedError


class Field:
    """What a test starts. All of it is stopped when the test is over."""

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()

    async def collector(self, collector_id: str = "west", **settings: Any) -> Collector:
        """Returns a running collector."""
        return await self.running(self.unstarted(collector_id, **settings))

    def unstarted(self, collector_id: str = "west", **settings: Any) -> Collector:
        """Returns a collector that is not started, and not stopped either."""
        return Collector(CollectorSettings(collector_id=collector_id, **settings))

    async def running(self, collector: Collector) -> Collector:
        """Starts it, and stops it when the test is over."""
        await collector.start()
        self._stack.push_async_callback(collector.kill)
        return collector

    def after(self, release: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        """Awaits this when the test is over."""
        self._stack.push_async_callback(release, *arguments)

    def caller(self, address: str) -> Caller:
        """Returns a client of the collector at that address."""
        caller = Caller(address)
        self._stack.push_async_callback(caller.channel.close)
        return caller

    async def peer(self, collector_id: str, port: int = 0) -> Peer:
        """Returns a peer that the test plays, listening."""
        peer = Peer(collector_id)
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(peer, server)
        peer.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
        await server.start()
        self._stack.push_async_callback(server.stop, None)
        return peer

    async def registry(self, servicer: registry_pb2_grpc.CollectorRegistryServicer) -> str:
        """Serves a registry that the test plays, and returns its address."""
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        registry_pb2_grpc.add_CollectorRegistryServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self._stack.push_async_callback(server.stop, None)
        return f"127.0.0.1:{port}"

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns once the condition holds; the test's time limit ends the wait."""

        async def look() -> bool:
            return condition()

        await self.eventually(look)

    async def eventually(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """The same for a condition that has to be asked for."""
        # What is waited for happens in other processes and in gRPC: no event tells of it.
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        await self._stack.aclose()


def packed(value: AnyPayload | str | None) -> AnyPayload | None:
    if isinstance(value, str):
        payload = AnyPayload()
        payload.Pack(StringValue(value=value))
        return payload
    return value


@pytest.fixture
def field() -> Field:
    return Field()


@pytest.fixture
def text() -> Callable[[str], AnyPayload | None]:
    """Packs a text as the dispatcher's callers do."""
    return packed


@pytest.fixture
def status_of() -> Callable[[Any], tuple[int, str]]:
    """Returns what an answer's status says: its number and its text."""

    def read(answer: Any) -> tuple[int, str]:
        assert answer.HasField("status")
        return answer.status.code, answer.status.message

    return read


@pytest.fixture
def closed_port() -> Iterator[Mapping[str, str]]:
    """An address at which nobody listens, as `address`, nor can begin to during the test."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield {"address": f"127.0.0.1:{held.getsockname()[1]}"}


@pytest.fixture
def free_port() -> Mapping[str, str]:
    """An address at which nobody listens yet, as `address`."""
    return {"address": f"127.0.0.1:{_free_ports(1)[0]}"}


@pytest.fixture
def launched(clean_environment: dict[str, str]) -> Launched:
    """Lends a collector as a process, which is gone after the block."""

    @contextlib.contextmanager
    def launch(
        *arguments: str, stderr: int | None = None, **variables: str
    ) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, *(arguments or ("-m", "collector_reference"))],
            env=clean_environment | {"COLLECTOR_LISTEN": "127.0.0.1:0"} | variables,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    return launch


@pytest.fixture
def brief() -> timedelta:
    """A limit for what a test wants to see run out."""
    return timedelta(milliseconds=300)


class EtcdCluster:
    """Real etcd servers on ports of 127.0.0.1, each a process that can be killed and restarted."""

    def __init__(
        self, members: int, folder: Path, *, scheme: str = "http", flags: Sequence[str] = ()
    ) -> None:
        """`scheme` and `flags` are about what clients dial."""
        self._folder = folder
        self._scheme = scheme
        self._flags = flags
        ports = iter(_free_ports(2 * members))
        self._ports = [(next(ports), next(ports)) for _ in range(members)]
        self.processes: list[subprocess.Popen[bytes] | None] = [None] * members
        for number in range(members):
            self.start(number)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(f"127.0.0.1:{client}" for client, _ in self._ports)

    def place(self) -> EtcdPlace:
        """A prefix of its own."""
        return EtcdPlace(endpoints=self.endpoints, prefix=f"tests/{uuid.uuid4().hex}")

    def start(self, number: int) -> None:
        client, peer = (
            f"{scheme}://127.0.0.1:{port}"
            for scheme, port in zip((self._scheme, "http"), self._ports[number], strict=True)
        )
        everybody = ",".join(
            f"m{other}=http://127.0.0.1:{port}" for other, (_, port) in enumerate(self._ports)
        )
        with (self._folder / f"m{number}.log").open("ab") as log:
            self.processes[number] = subprocess.Popen(
                [
                    "etcd",
                    *("--name", f"m{number}", "--data-dir", str(self._folder / f"m{number}")),
                    *("--listen-client-urls", client, "--advertise-client-urls", client),
                    *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                    *("--initial-cluster", everybody, "--initial-cluster-state", "new"),
                    *("--heartbeat-interval", "100", "--election-timeout", "1000"),
                    *self._flags,
                ],
                stdout=log,
                stderr=log,
                env={
                    name: text for name, text in os.environ.items() if not name.startswith("ETCD_")
                },
                # Ctrl-C is for the tests, which end it in their own time.
                start_new_session=True,
            )

    def kill(self, number: int) -> None:
        process = self.processes[number]
        process.kill()
        process.wait()
        self.processes[number] = None

    def pause(self, number: int) -> None:
        self.processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        self.processes[number].send_signal(signal.SIGCONT)

    def close(self) -> None:
        for number, process in enumerate(self.processes):
            if process is not None:
                self.kill(number)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running_etcd(
    members: int, *, scheme: str = "http", flags: Sequence[str] = ()
) -> Iterator[EtcdCluster]:
    """Lends a cluster; skips where this machine has no etcd."""
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd here: apt-get install etcd-server")
    folder = Path(tempfile.mkdtemp(prefix="etcd-"))
    the_reaper().guard_folder(folder)
    cluster = EtcdCluster(members, folder, scheme=scheme, flags=flags)
    try:
        yield cluster
    finally:
        cluster.close()
        shutil.rmtree(folder)
        the_reaper().release_folder(folder)


@pytest.fixture(scope="session")
def etcd() -> Iterator[EtcdCluster]:
    """One server for every test of this worker that does not break it."""
    with running_etcd(1) as cluster:
        yield cluster


@pytest.fixture
def own_etcd() -> Iterator[EtcdCluster]:
    """One server for a test that breaks it."""
    with running_etcd(1) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def etcd_with() -> Callable[..., contextlib.AbstractContextManager[EtcdCluster]]:
    """Lends one server with further flags."""
    return partial(running_etcd, 1)


@pytest.fixture(scope="session")
def secure_etcd() -> Callable[..., contextlib.AbstractContextManager[EtcdCluster]]:
    """Lends one server that speaks TLS, with further flags."""
    return partial(running_etcd, 1, scheme="https")


@pytest.fixture
def three_etcds() -> Iterator[EtcdCluster]:
    """A cluster that can lose one."""
    with running_etcd(3) as cluster:
        yield cluster
