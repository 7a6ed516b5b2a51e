"""Stores of every kind, each in a place of its own, opened and closed for the test."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from collector_reference import RegistryStore
from collector_reference.registry.choice import make_store
from collector_reference.registry.notation import (
    MEMORY,
    EtcdRegistry,
    RegistryChoice,
    SqliteRegistry,
)


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
