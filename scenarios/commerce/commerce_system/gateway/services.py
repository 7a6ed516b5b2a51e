"""The services behind the gateway, and whether they are well."""

from __future__ import annotations

import asyncio

from commerce_system.settings import ServiceSettings
from commerce_system.wire import orders_pb2, orders_pb2_grpc, users_pb2, users_pb2_grpc
from shared_system.calling import Caller

__all__ = ["Services"]


class Services:
    """Calls users and orders. Every method raises `Failure`."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Raises `ValueError` for a place that cannot be read."""
        calling, practices = settings.calling, settings.practices
        self._users = Caller("users", settings.users, calling, practices)
        self._orders = Caller("orders", settings.orders, calling, practices)

    async def create_user(
        self, request: users_pb2.CreateUserRequest
    ) -> users_pb2.CreateUserResponse:
        """Makes a user."""
        return await self._users.call(
            "CreateUser",
            lambda channel: users_pb2_grpc.UserServiceStub(channel).CreateUser,
            request,
        )

    async def get_user(self, request: users_pb2.GetUserRequest) -> users_pb2.GetUserResponse:
        """Finds a user."""
        return await self._users.call(
            "GetUser",
            lambda channel: users_pb2_grpc.UserServiceStub(channel).GetUser,
            request,
        )

    async def create_order(
        self, request: orders_pb2.CreateOrderRequest
    ) -> orders_pb2.CreateOrderResponse:
        """Makes an order."""
        return await self._orders.call(
            "CreateOrder",
            lambda channel: orders_pb2_grpc.OrderServiceStub(channel).CreateOrder,
            request,
        )

    async def get_order(self, request: orders_pb2.GetOrderRequest) -> orders_pb2.GetOrderResponse:
        """Finds an order."""
        return await self._orders.call(
            "GetOrder",
            lambda channel: orders_pb2_grpc.OrderServiceStub(channel).GetOrder,
            request,
        )

    async def list_orders(
        self, request: orders_pb2.ListOrdersRequest
    ) -> orders_pb2.ListOrdersResponse:
        """Lists orders."""
        return await self._orders.call(
            "ListOrders",
            lambda channel: orders_pb2_grpc.OrderServiceStub(channel).ListOrders,
            request,
        )

    async def health(self) -> dict[str, bool]:
        """Asks each service for its health, at once."""
        users, orders = await asyncio.gather(self._users.is_well(), self._orders.is_well())
        return {"userService": users, "orderService": orders}

    async def close(self) -> None:
        """Closes the channels."""
        await asyncio.gather(self._users.close(), self._orders.close())
