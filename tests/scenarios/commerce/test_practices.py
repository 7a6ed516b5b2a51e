"""What practices do in detail. That each of the ten is needed, scenarios show: see test_suite."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import grpc
import pytest


class Users:
    """A users service that does what a test says: an honest gRPC server with other answers."""

    def __init__(self) -> None:
        self.calls = 0
        self.fail_with: list[grpc.StatusCode] = []
        self.deadlines: list[float | None] = []
        self._server: Any = None

    async def _validate(self, request: Any, context: Any) -> Any:
        from commerce_system.wire import users_pb2

        self.calls += 1
        self.deadlines.append(context.time_remaining())
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
    """Starts orders in front of a users address: `async with orders_of(address) as order` yields a
    function that orders by gRPC and returns the code.
    """
    import contextlib

    from commerce_system.orders.server import orders_server
    from commerce_system.settings import ServiceSettings
    from commerce_system.wire import orders_pb2, orders_pb2_grpc

    @contextlib.asynccontextmanager
    async def started(users: str) -> Any:
        settings = ServiceSettings(database=databases[1], users=users, grace_seconds=0)
        async with (
            orders_server(settings) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):

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


def test_a_passing_failure_is_tried_again(orders_of: Any, running: Any) -> None:
    async def run() -> None:
        users = Users()
        async with users as address, orders_of(address) as order:
            users.fail_with = [grpc.StatusCode.UNAVAILABLE] * 2
            assert (await order()).name == "OK"
            assert users.calls == 3

    running(run())


def test_a_lasting_failure_is_not_tried_again(orders_of: Any, running: Any) -> None:
    async def run() -> None:
        users = Users()
        async with users as address, orders_of(address) as order:
            for code in ("INVALID_ARGUMENT", "INTERNAL", "PERMISSION_DENIED"):
                users.calls = 0
                users.fail_with = [grpc.StatusCode[code]]
                assert (await order()).name == code
                assert users.calls == 1

    running(run())


def test_a_deadline_is_passed_on(orders_of: Any, running: Any) -> None:
    async def run() -> None:
        users = Users()
        async with users as address, orders_of(address) as order:
            await order(timeout=1.0)
            (seen,) = users.deadlines
            assert seen is not None
            # gRPC rounds it up on its way; the limit of calls without one is three seconds.
            assert 0 < seen < 2

    running(run())


def test_an_id_that_could_write_log_lines_is_replaced(shop: Any, running: Any) -> None:
    async def run() -> None:
        async with shop() as it:
            answer = await it.http.get("/health", headers={"x-correlation-id": 'a b="c"' * 40})
            assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-correlation-id"])

    running(run())
