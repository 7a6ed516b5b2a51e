"""How calls go round several instances, and what is no place of a service."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import grpc
import pytest

from collector_reference import Collector, CollectorSettings


async def ask(caller: Any, times: int) -> Counter[str]:
    """Asks for user 1, and counts by the name that each instance gives it."""
    from commerce_system.wire import users_pb2, users_pb2_grpc

    def make(channel: grpc.aio.Channel) -> Any:
        return users_pb2_grpc.UserServiceStub(channel).GetUser

    request = users_pb2.GetUserRequest(user_id=1)
    names: Counter[str] = Counter()
    for _ in range(times):
        names[(await caller.call("GetUser", make, request)).user.name] += 1
    return names


class Instances:
    """Instances of users, each with a user 1 of its own name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = AsyncExitStack()
        self.servers: dict[str, Any] = {}

    async def start(self, name: str, **settings: Any) -> str:
        from commerce_system.settings import ServiceSettings
        from commerce_system.users.server import users_server
        from commerce_system.wire import users_pb2, users_pb2_grpc

        database = f"sqlite:{self._folder / f'{name}.db'}"
        server = users_server(ServiceSettings(database=database, grace_seconds=0, **settings))
        address = await server.__aenter__()
        self.servers[name] = server
        async with grpc.aio.insecure_channel(address) as channel:
            await users_pb2_grpc.UserServiceStub(channel).CreateUser(
                users_pb2.CreateUserRequest(
                    name=name, email=f"{name}@example.com", idempotency_key=name
                )
            )
        return address

    async def stop(self, name: str) -> None:
        await self.servers.pop(name).__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in list(self.servers):
            await self.stop(name)


def caller_of(notation: str, *without: str) -> Any:
    from shared_system.calling import Caller, CallingSettings
    from shared_system.practices import Practices

    return Caller("users", notation, CallingSettings(pool=1), Practices.without(without))


def test_several_addresses_are_called_in_turn_and_a_dead_one_is_left_out(
    tmp_path: Path, running: Any
) -> None:
    async def run() -> None:
        async with Instances(tmp_path) as users:
            both = ",".join([await users.start("a"), await users.start("b")])
            caller = caller_of(both)
            await ask(caller, 2)
            turns = await ask(caller, 10)
            assert set(turns) == {"a", "b"}
            await users.stop("a")
            assert set(await ask(caller, 5)) == {"b"}
            await caller.close()

    running(run())


def test_without_discovery_the_first_address_is_all_that_is_known(
    tmp_path: Path, running: Any
) -> None:
    from shared_system.failures import Failure

    async def run() -> None:
        async with Instances(tmp_path) as users:
            both = ",".join([await users.start("a"), await users.start("b")])
            caller = caller_of(both, "discovery")
            assert await ask(caller, 6) == {"a": 6}
            await users.stop("a")
            with pytest.raises(Failure, match="cannot be reached"):
                await ask(caller, 1)
            await caller.close()

    running(run())


def test_a_collectors_registry_tells_every_instance(tmp_path: Path, running: Any) -> None:
    async def run() -> None:
        async with Collector(
            CollectorSettings(collector_id="west", namespaces=("shop",))
        ) as collector:
            async with Instances(tmp_path) as users:
                told = f"{collector.address}/shop"
                await users.start("a", register=told)
                await users.start("b", register=told)
                caller = caller_of(f"collector://{told}/commerce.v1.UserService")
                until = asyncio.get_running_loop().time() + 10
                while set(await ask(caller, 4)) != {"a", "b"}:
                    assert asyncio.get_running_loop().time() < until
                await users.stop("b")
                assert set(await ask(caller, 4)) == {"a"}
                await caller.close()

    running(run())


@pytest.mark.parametrize(
    "notation",
    [
        "",
        "nowhere",
        "host:0",
        "host:99999",
        "http://host:1",
        "collector://host:1",
        "a:1,b",
        "dns:///x",
    ],
)
def test_what_is_no_place_is_refused(notation: str) -> None:
    from shared_system.discovery import place

    with pytest.raises(ValueError, match="is n"):
        place(notation)


def test_the_next_turn_has_another_connection(running: Any) -> None:
    """So a call that is tried again is not tried over the connection that failed."""
    from shared_system.channels import Channels
    from shared_system.discovery import place

    async def run() -> None:
        channels = Channels(place("127.0.0.1:1"), size=2, keep=True, balance=True)
        async with channels.one(7) as first, channels.one(8) as second, channels.one(9) as third:
            assert first is third
            assert first is not second
        await channels.close()

    running(run())
