"""From the messages of the services to the JSON of the guide."""

from __future__ import annotations

from typing import Any

from commerce_system.gateway.money import from_minor
from commerce_system.wire import orders_pb2, users_pb2
from shared_system.moments import as_text

__all__ = ["order_json", "user_json"]


def user_json(user: users_pb2.User) -> dict[str, Any]:
    """Returns a user as clients see it."""
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "phone": user.phone,
        "address": user.address,
        "createdAt": as_text(user.created_at),
    }


def order_json(order: orders_pb2.Order) -> dict[str, Any]:
    """Returns an order as clients see it."""
    return {
        "id": order.id,
        "userId": order.user_id,
        "userName": order.user_name,
        "userEmail": order.user_email,
        "items": [
            {
                "productName": item.product_name,
                "quantity": item.quantity,
                "price": from_minor(item.price_minor),
            }
            for item in order.items
        ],
        "totalAmount": from_minor(order.total_minor),
        "status": orders_pb2.OrderStatus.Name(order.status),
        "createdAt": as_text(order.created_at),
    }
