"""Each of the ten practices: what it gives, and that it is gone where it is switched off."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest

WITH_AND_WITHOUT = pytest.mark.parametrize("kept", [True, False], ids=["with", "without"])


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, str]]:
    return [
        dict(re.findall(r"(\w+)=(\S+)", record.getMessage()))
        for record in caplog.records
        if record.getMessage().startswith(f"{event} ")
    ]


class Users:
    """A users service that does what a test says: an honest gRPC server with other answers."""

    def __init__(self) -> None:
        self.calls = 0
        self.called = asyncio.Event()
        self.fail_with: list[grpc.StatusCode] = []
        self.silent = False
        self.deadlines: list[float | None] = []
        self._server: Any = None

    async def _validate(self, request: Any, context: Any) -> Any:
        from commerce_system.wire import users_pb2

        self.calls += 1
        self.called.set()
        self.deadlines.append(context.time_remaining())
        if self.silent:
            await asyncio.Event().wait()
        if self.fail_with:
            await context.abort(self.fail_with.pop(0), "as told")
        user = users_pb2.User(id=request.user_id, name="J", email="j@example.com")
        return users_pb2.ValidateUserResponse(is_valid=True, user=user)

    async def __aenter__(self) -> str:
        from commerce_system.wire import users_pb2

        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        handler = grpc.unary_unary_rpc_method_handler(
            self._validate,
            request_deserializer=users_pb2.ValidateUserRequest.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "commerce.v1.UserService", {"ValidateUser": handler}
                ),
            )
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return f"127.0.0.1:{port}"

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)


@pytest.fixture
def orders_of(databases: tuple[str, str]) -> Callable[..., Any]:
    """Starts orders in front of a users address: `async with orders_of(address, kept, "retries")`
    yields a function that orders by gRPC and returns the code.
    """
    import contextlib

    from commerce_system.orders.server import orders_server
    from commerce_system.settings import ServiceSettings
    from commerce_system.wire import orders_pb2, orders_pb2_grpc
    from shared_system.practices import Practices

    @contextlib.asynccontextmanager
    async def started(users: str, kept: bool, practice: str, **settings: Any) -> Any:
        practices = Practices() if kept else Practices.without([practice])
        chosen = ServiceSettings(
            database=databases[1], users=users, practices=practices, grace_seconds=5, **settings
        )
        async with contextlib.AsyncExitStack() as stack:
            serving = orders_server(chosen)
            address = await serving.__aenter__()
            # The channel outlives the server, whose end a test looks at.
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
            stack.push_async_exit(serving)

            async def order(key: str = "k", user: int = 1, **how: Any) -> grpc.StatusCode:
                request = orders_pb2.CreateOrderRequest(
                    user_id=user,
                    idempotency_key=key,
                    items=[orders_pb2.OrderItem(product_name="x", quantity=1, price_minor=1)],
                )
                call = orders_pb2_grpc.OrderServiceStub(channel).CreateOrder(request, **how)
                return await call.code()

            yield order

    return started


@WITH_AND_WITHOUT
def test_pooled_channels_are_used_again(
    kept: bool, shop: Any, running: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from shared_system.practices import Practices

    caplog.set_level(logging.INFO)

    async def run() -> None:
        practices = Practices() if kept else Practices.without(["pooling"])
        async with shop(practices=practices) as it:
            user = await it.user()
            for _ in range(8):
                assert (await it.order(user)).status_code == 201

    running(run())
    peers = [
        line["peer"] for line in lines(caplog, "served") if line["method"].endswith("ValidateUser")
    ]
    assert len(peers) == 8
    assert len(set(peers)) == (2 if kept else 8)


@WITH_AND_WITHOUT
def test_a_passing_failure_is_tried_again(kept: bool, orders_of: Any, running: Any) -> None:
    async def run() -> None:
        users = Users()
        async with users as address, orders_of(address, kept, "retries") as order:
            users.fail_with = [grpc.StatusCode.UNAVAILABLE] * 2
            code = await order()
            assert code.name == ("OK" if kept else "UNAVAILABLE")
            assert users.calls == (3 if kept else 1)

    running(run())


def test_a_lasting_failure_is_not_tried_again(orders_of: Any, running: Any) -> None:
    async def run() -> None:
        users = Users()
        async with users as address, orders_of(address, True, "") as order:
            for code in ("INVALID_ARGUMENT", "INTERNAL", "PERMISSION_DENIED"):
                users.calls = 0
                users.fail_with = [grpc.StatusCode[code]]
                assert (await order()).name == code
                assert users.calls == 1

    running(run())


@WITH_AND_WITHOUT
def test_a_silent_service_is_not_waited_for(kept: bool, orders_of: Any, running: Any) -> None:
    from shared_system.calling import CallingSettings

    async def run() -> None:
        users = Users()
        users.silent = True
        quick = CallingSettings(limit_seconds=0.2)
        async with users as address:
            async with orders_of(address, kept, "timeouts", calling=quick) as order:
                waiting = asyncio.ensure_future(order())
                done, _ = await asyncio.wait([waiting], timeout=1.5)
                assert bool(done) == kept
                if kept:
                    assert waiting.result().name == "DEADLINE_EXCEEDED"
                else:
                    waiting.cancel()
            assert (users.deadlines[0] is not None) == kept

    running(run())


@WITH_AND_WITHOUT
def test_a_deadline_is_passed_on(kept: bool, orders_of: Any, running: Any) -> None:
    async def run() -> None:
        users = Users()
        async with users as address, orders_of(address, kept, "timeouts") as order:
            await order(timeout=1.0)
            (seen,) = users.deadlines
            assert (seen is not None and 0.3 < seen <= 1.0) == kept

    running(run())


@WITH_AND_WITHOUT
def test_a_failure_has_the_code_of_its_kind(kept: bool, shop: Any, running: Any) -> None:
    from shared_system.practices import Practices

    async def run() -> None:
        practices = Practices() if kept else Practices.without(["codes"])
        async with shop(practices=practices) as it:
            unknown = await it.order(4711)
            bad = await it.http.post("/users", json={"name": "x", "email": "nobody"})
            codes = (unknown.status_code, bad.status_code)
            assert codes == ((404, 400) if kept else (500, 500))

    running(run())


@WITH_AND_WITHOUT
def test_a_failing_service_is_left_alone(kept: bool, orders_of: Any, running: Any) -> None:
    from shared_system.breaker import BreakerSettings
    from shared_system.calling import CallingSettings

    calling = CallingSettings(attempts=1, breaker=BreakerSettings(failures=3, open_seconds=0.3))

    async def run() -> None:
        users = Users()
        async with users as address, orders_of(address, kept, "breaker", calling=calling) as order:
            users.fail_with = [grpc.StatusCode.UNAVAILABLE] * 10
            codes = [(await order()).name for _ in range(10)]
            assert codes == ["UNAVAILABLE"] * 10
            assert users.calls == (3 if kept else 10)
            if kept:
                users.fail_with = []
                until = time.monotonic() + 10
                while (await order()).name != "OK":
                    assert time.monotonic() < until, "the breaker never closes again"
                assert users.calls == 4

    running(run())


@WITH_AND_WITHOUT
def test_a_correlation_id_is_on_every_hop(
    kept: bool, shop: Any, running: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from shared_system.practices import Practices

    caplog.set_level(logging.INFO)

    async def run() -> str:
        practices = Practices() if kept else Practices.without(["correlation"])
        async with shop(practices=practices) as it:
            user = await it.user()
            caplog.clear()
            body = {"userId": user, "items": [{"productName": "x", "quantity": 1, "price": 1}]}
            answer = await it.http.post(
                "/orders", json=body, headers={"x-correlation-id": "errand-7"}
            )
            return answer.headers["x-correlation-id"]

    assert running(run()) == "errand-7"
    seen = [line["correlation_id"] for line in lines(caplog, "served")]
    assert len(seen) == 2
    assert (set(seen) == {"errand-7"}) == kept


def test_an_id_that_could_write_log_lines_is_replaced(shop: Any, running: Any) -> None:
    async def run() -> None:
        async with shop() as it:
            answer = await it.http.get("/health", headers={"x-correlation-id": 'a b="c"' * 40})
            assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-correlation-id"])

    running(run())


@WITH_AND_WITHOUT
def test_health_tells_of_a_service_that_is_away(
    kept: bool, databases: tuple[str, str], running: Any
) -> None:
    import httpx

    from commerce_system.gateway.server import gateway_server
    from commerce_system.settings import ServiceSettings
    from commerce_system.users.server import users_server
    from shared_system.practices import Practices

    async def run() -> None:
        practices = Practices() if kept else Practices.without(["health"])
        async with users_server(ServiceSettings(database=databases[0])) as users:
            settings = ServiceSettings(users=users, orders="127.0.0.1:1", practices=practices)
            async with gateway_server(settings) as address, httpx.AsyncClient() as http:
                answer = await http.get(f"http://{address}/health", timeout=20)
        told = answer.json()["services"]
        assert told["userService"] == "connected"
        assert (told["orderService"] == "disconnected") == kept
        assert answer.status_code == (503 if kept else 200)

    running(run())


@WITH_AND_WITHOUT
def test_each_call_between_services_is_a_line(
    kept: bool, shop: Any, running: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from shared_system.practices import Practices

    caplog.set_level(logging.INFO)

    async def run() -> None:
        practices = Practices() if kept else Practices.without(["logging"])
        async with shop(practices=practices) as it:
            await it.order(await it.user())

    running(run())
    calls = [(line["service"], line["method"], line["status"]) for line in lines(caplog, "call")]
    expected = [
        ("users", "CreateUser", "OK"),
        ("users", "ValidateUser", "OK"),
        ("orders", "CreateOrder", "OK"),
    ]
    assert calls == (expected if kept else [])


@WITH_AND_WITHOUT
def test_a_call_in_flight_is_finished_before_the_end(
    kept: bool, databases: tuple[str, str], orders_of: Any, running: Any
) -> None:
    async def run() -> str:
        users = Users()
        async with users as address:
            async with orders_of(address, kept, "shutdown") as order:
                blocker = sqlite3.connect(databases[1].removeprefix("sqlite:"))
                blocker.execute("BEGIN IMMEDIATE")
                waiting = asyncio.ensure_future(order())
                await users.called.wait()
                asyncio.get_running_loop().call_later(0.3, blocker.close)
            return (await waiting).name

    name = running(run())
    stored = sqlite3.connect(databases[1].removeprefix("sqlite:")).execute(
        "SELECT count(*) FROM orders"
    )
    assert (name == "OK") == kept
    if kept:
        assert stored.fetchone() == (1,)
