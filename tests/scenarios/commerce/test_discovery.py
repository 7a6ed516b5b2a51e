"""Where services are found: environment, DNS, a collector's registry; and how calls go round."""

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
        stub = users_pb2_grpc.UserServiceStub(channel)
        return lambda **how: stub.GetUser(users_pb2.GetUserRequest(user_id=1), **how)

    names: Counter[str] = Counter()
    for _ in range(times):
        names[(await caller.call("GetUser", make)).user.name] += 1
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


def test_names_are_looked_up_in_dns(tmp_path: Path, running: Any) -> None:
    from dnslib import RR, A
    from dnslib.server import BaseResolver, DNSServer

    class Resolver(BaseResolver):
        def __init__(self) -> None:
            self.asked: list[str] = []

        def resolve(self, request: Any, _handler: Any) -> Any:
            self.asked.append(str(request.q.qname))
            reply = request.reply()
            if request.q.qtype == 1 and str(request.q.qname) == "user-service.local.":
                reply.add_answer(RR("user-service.local", rdata=A("127.0.0.1"), ttl=1))
            return reply

    resolver = Resolver()
    server = DNSServer(resolver, address="127.0.0.1", port=0)
    server.server.server_name = "loopback"
    server.start_thread()

    async def run() -> None:
        async with Instances(tmp_path) as users:
            port = (await users.start("a")).rpartition(":")[2]
            dns = f"127.0.0.1:{server.server.server_address[1]}"
            caller = caller_of(f"dns://{dns}/user-service.local:{port}")
            assert await ask(caller, 2) == {"a": 2}
            await caller.close()

    try:
        running(run())
    finally:
        server.stop()
        server.server.server_close()
    assert "user-service.local." in resolver.asked


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


def test_the_services_are_reached_by_dispatch_on_two_collectors(shop: Any, running: Any) -> None:
    from collector_reference.wire import dispatcher_pb2, dispatcher_pb2_grpc
    from commerce_system.wire import orders_pb2, users_pb2

    async def run() -> None:
        async with (
            shop() as it,
            Collector(
                CollectorSettings(collector_id="west", namespaces=("people", "sales"))
            ) as west,
            Collector(CollectorSettings(collector_id="east", namespaces=("sales",))) as east,
        ):
            await west.add_backend("people", "commerce.v1.UserService", it.addresses.users)
            await east.add_backend("sales", "commerce.v1.OrderService", it.addresses.orders)
            await west.connect_to(east.address)
            async with grpc.aio.insecure_channel(west.address) as channel:
                stub = dispatcher_pb2_grpc.CollectiveDispatcherStub(channel)

                async def dispatch(namespace: str, service: str, method: str, what: Any) -> Any:
                    request = dispatcher_pb2.DispatchRequest(
                        namespace=namespace, method_name=method
                    )
                    request.service.service_name = f"commerce.v1.{service}"
                    request.input.Pack(what)
                    return await stub.Dispatch(request, timeout=10)

                made = await dispatch(
                    "people",
                    "UserService",
                    "CreateUser",
                    users_pb2.CreateUserRequest(
                        name="J", email="j@example.com", idempotency_key="k"
                    ),
                )
                assert (made.status.code, made.handled_by_collector_id) == (200, "west")
                ordered = await dispatch(
                    "sales",
                    "OrderService",
                    "CreateOrder",
                    orders_pb2.CreateOrderRequest(
                        user_id=1,
                        idempotency_key="k",
                        items=[
                            orders_pb2.OrderItem(product_name="x", quantity=1, price_minor=99999)
                        ],
                    ),
                )
                assert (ordered.status.code, ordered.handled_by_collector_id) == (200, "east")
                order = orders_pb2.CreateOrderResponse()
                assert ordered.output.Unpack(order)
                assert order.order.total_minor == 99999
                missing = await dispatch(
                    "sales", "OrderService", "GetOrder", orders_pb2.GetOrderRequest(order_id=7)
                )
                assert (missing.status.code, missing.status.message) == (404, "order not found")

    running(run())
