"""Stores of every kind, each in a place of its own, opened and closed for the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from collector_reference import RegistryStore
from collector_reference.registry.choice import make_store
from collector_reference.registry.notation import (
    MEMORY,
    EtcdPlace,
    EtcdRegistry,
    RegistryChoice,
    SqliteRegistry,
)


class EtcdCluster:
    """Real etcd servers on ports of 127.0.0.1, each a process that can be killed and restarted."""

    def __init__(self, members: int, folder: Path) -> None:
        self._folder = folder
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
        client, peer = (f"http://127.0.0.1:{port}" for port in self._ports[number])
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
                ],
                stdout=log,
                stderr=log,
                env={
                    name: text for name, text in os.environ.items() if not name.startswith("ETCD_")
                },
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
def running_etcd(members: int) -> Iterator[EtcdCluster]:
    """Lends a cluster; skips where this machine has no etcd."""
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd here: apt-get install etcd-server")
    folder = Path(tempfile.mkdtemp(prefix="etcd-"))
    cluster = EtcdCluster(members, folder)
    try:
        yield cluster
    finally:
        cluster.close()
        shutil.rmtree(folder)


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


@pytest.fixture
def three_etcds() -> Iterator[EtcdCluster]:
    """A cluster that can lose one."""
    with running_etcd(3) as cluster:
        yield cluster


class Place:
    """Somewhere to keep records, which can be opened again and again."""

    def __init__(self, choice: RegistryChoice) -> None:
        self.choice = choice
        self.durable = choice is not MEMORY
        self.many = 1_050 if isinstance(choice, EtcdRegistry) else 10_050
        """How many records a test of large lists stores."""

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[RegistryStore]:
        """Opens the place, as one more collector would, or the same after a restart."""
        store = make_store(self.choice, limit=timedelta(seconds=20))
        try:
            await store.open(lambda writable: None)
            yield store
        finally:
            await store.close()


@pytest.fixture(params=["memory", "sqlite", "etcd"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A new place of each kind."""
    choices: Mapping[str, Callable[[], RegistryChoice]] = {
        "memory": lambda: MEMORY,
        "sqlite": lambda: SqliteRegistry(path=tmp_path / f"{uuid.uuid4().hex}.db"),
        "etcd": lambda: EtcdRegistry(place=request.getfixturevalue("etcd").place()),
    }
    return Place(choices[request.param]())


@pytest.fixture
def descriptor() -> Callable[..., ServiceDescriptorProto]:
    """Makes the descriptor of a service with those methods."""

    def make(name: str, *methods: str) -> ServiceDescriptorProto:
        message = ServiceDescriptorProto(name=name)
        for method in methods:
            message.method.add(name=method)
        return message

    return make
