"""What the orders service does with a request. It asks the users service who orders."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import grpc
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from commerce_system.orders.model import Item, Order
from commerce_system.wire import orders_pb2, users_pb2, users_pb2_grpc
from shared_system import checks
from shared_system.calling import Caller
from shared_system.database import Database
from shared_system.failures import Failure
from shared_system.moments import as_stamp
from shared_system.observing import Observer, unary

__all__ = ["MIGRATIONS", "SERVICE", "OrderService"]

SERVICE = orders_pb2.DESCRIPTOR.services_by_name["OrderService"]
MIGRATIONS = Path(__file__).parent / "migrations"

_MOST_ITEMS = 100
_LARGEST_QUANTITY = 1_000_000
_LARGEST_PRICE = 10**12
_PAGE, _LARGEST_PAGE = 50, 100
_MADE = "Order created successfully"


class OrderService:
    """The methods of `commerce.v1.OrderService`. `users` calls the users service."""

    def __init__(self, database: Database, users: Caller) -> None:
        self._database = database
        self._users = users

    def handler(self, observer: Observer) -> grpc.GenericRpcHandler:
        """Returns these methods as a gRPC server takes them."""
        return unary(
            observer,
            SERVICE.full_name,
            {
                "CreateOrder": (orders_pb2.CreateOrderRequest, self.create),
                "GetOrder": (orders_pb2.GetOrderRequest, self.get),
                "ListOrders": (orders_pb2.ListOrdersRequest, self.list_orders),
            },
        )

    async def create(
        self, request: orders_pb2.CreateOrderRequest
    ) -> orders_pb2.CreateOrderResponse:
        """Makes an order, or answers the one that the same user, key and content made before."""
        checks.identity("user_id", request.user_id)
        key = checks.key("idempotency_key", request.idempotency_key)
        items = _items(request)
        known = await self._made_before(request)
        if known is None:
            user = await self._user(request.user_id)
            order = Order(
                user_id=user.id,
                user_name=user.name,
                user_email=user.email,
                items=items,
                total_minor=sum(item.quantity * item.price_minor for item in items),
                status=orders_pb2.OrderStatus.Name(orders_pb2.PENDING),
                idempotency_key=key,
                content_digest=checks.content_digest(request),
                created_at=datetime.now(UTC),
            )

            def insert(session: Session) -> orders_pb2.Order:
                session.add(order)
                session.flush()
                return _message(order)

            try:
                made = await self._database.write("insert order", insert)
            except IntegrityError:
                # The same request twice at once: the other one was faster.
                known = await self._made_before(request)
                if known is None:
                    raise
            else:
                return orders_pb2.CreateOrderResponse(order=made, message=_MADE)
        return orders_pb2.CreateOrderResponse(order=known, message=_MADE, replayed=True)

    async def get(self, request: orders_pb2.GetOrderRequest) -> orders_pb2.GetOrderResponse:
        """Answers an order."""
        order_id = checks.identity("order_id", request.order_id)

        def find(session: Session) -> orders_pb2.Order | None:
            order = session.get(Order, order_id)
            return None if order is None else _message(order)

        found = await self._database.read("select order", find)
        if found is None:
            raise Failure(grpc.StatusCode.NOT_FOUND, "order not found")
        return orders_pb2.GetOrderResponse(order=found)

    async def list_orders(
        self, request: orders_pb2.ListOrdersRequest
    ) -> orders_pb2.ListOrdersResponse:
        """Answers the orders of a user, oldest first, a page at a time."""
        user_id = checks.identity("user_id", request.user_id)
        if request.page_size < 0:
            raise checks.invalid("page_size is negative")
        size = min(request.page_size or _PAGE, _LARGEST_PAGE)

        def find(session: Session) -> list[orders_pb2.Order]:
            chosen = (
                select(Order)
                .where(Order.user_id == user_id, Order.id > request.after_id)
                .order_by(Order.id)
                .limit(size)
            )
            return [_message(order) for order in session.scalars(chosen)]

        return orders_pb2.ListOrdersResponse(
            orders=await self._database.read("select orders", find)
        )

    async def _user(self, user_id: int) -> users_pb2.User:
        answer = await self._users.call(
            "ValidateUser",
            lambda channel: users_pb2_grpc.UserServiceStub(channel).ValidateUser,
            users_pb2.ValidateUserRequest(user_id=user_id),
        )
        if not answer.is_valid:
            raise Failure(grpc.StatusCode.NOT_FOUND, "user not found")
        return answer.user

    async def _made_before(self, request: orders_pb2.CreateOrderRequest) -> orders_pb2.Order | None:
        digest = checks.content_digest(request)

        def find(session: Session) -> orders_pb2.Order | None:
            order = session.scalar(
                select(Order).where(
                    Order.user_id == request.user_id,
                    Order.idempotency_key == request.idempotency_key,
                )
            )
            if order is not None and order.content_digest != digest:
                raise Failure(
                    grpc.StatusCode.ALREADY_EXISTS,
                    "the idempotency key was used for another request",
                )
            return None if order is None else _message(order)

        return await self._database.read("select order by key", find)


def _items(request: orders_pb2.CreateOrderRequest) -> list[Item]:
    if not request.items:
        raise checks.invalid("items is required")
    if len(request.items) > _MOST_ITEMS:
        raise checks.invalid(f"items holds more than {_MOST_ITEMS}")
    items = []
    for position, item in enumerate(request.items):
        field = f"items[{position}]"
        if not 0 < item.quantity <= _LARGEST_QUANTITY:
            raise checks.invalid(f"{field}.quantity is a number from 1 to {_LARGEST_QUANTITY}")
        if not 0 <= item.price_minor <= _LARGEST_PRICE:
            raise checks.invalid(f"{field}.price is from 0 to {_LARGEST_PRICE // 100}")
        name = checks.text(f"{field}.product_name", item.product_name, 200, required=True)
        items.append(
            Item(
                position=position,
                product_name=name,
                quantity=item.quantity,
                price_minor=item.price_minor,
            )
        )
    if sum(item.quantity * item.price_minor for item in items) > 2**63 - 1:
        raise checks.invalid("the total is too large")
    return items


def _message(order: Order) -> orders_pb2.Order:
    return orders_pb2.Order(
        id=order.id,
        user_id=order.user_id,
        user_name=order.user_name,
        user_email=order.user_email,
        items=[
            orders_pb2.OrderItem(
                product_name=item.product_name,
                quantity=item.quantity,
                price_minor=item.price_minor,
            )
            for item in order.items
        ],
        total_minor=order.total_minor,
        status=orders_pb2.OrderStatus.Value(order.status),
        created_at=as_stamp(order.created_at),
    )
