# ruff: noqa: N802 - a method of a service is called as it is called on the wire
"""The services of the shop that the scenarios in this folder run: a class for each, whose public
methods are the methods of the service. They answer who they are, so that routes can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector_reference import HandlerContext


class UserService:
    """Knows the users."""

    def GetUser(self, user_id: str, context: HandlerContext) -> str:
        """Takes the id of a user."""
        return f"User {user_id} from {context.collector_id}"


class OrderService:
    """Takes orders, and remembers them for as long as its collector runs."""

    def __init__(self) -> None:
        self._orders: list[str] = []

    async def CreateOrder(self, order: Mapping[str, object], context: HandlerContext) -> object:
        """Takes an order with a `sku` and a `quantity`."""
        self._orders.append(str(order["sku"]))
        return {
            "number": len(self._orders),
            "sku": order["sku"],
            "quantity": order["quantity"],
            "created_on": context.collector_id,
        }


class InventoryService:
    """Knows what is in stock."""

    stock: Mapping[str, int] = {"A-1": 12, "B-7": 0}

    def GetStock(self, sku: str, _context: HandlerContext) -> int:
        """Takes a stock keeping unit; one that nobody has heard of is an error."""
        if sku not in self.stock:
            raise ValueError(f"no such article: {sku}")
        return self.stock[sku]


class RehearsedOrders:
    """The order service where nothing is sold: the same name, other handlers."""

    service_name = "OrderService"

    def CreateOrder(self, order: Mapping[str, object], _context: HandlerContext) -> object:
        """Takes what the other one takes, and creates nothing."""
        return {"number": 0, "sku": order["sku"], "created_on": "nowhere"}
