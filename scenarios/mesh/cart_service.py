# ruff: noqa: N802 - a method of a service is called as it is called on the wire
"""A cart over gRPC, with a method of each of the four kinds, in two editions of one proto: the
second tells the currency too. Both may run in one mesh, and whoever calls them asks each by
reflection what it has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from google.protobuf import any_pb2, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

SERVICE = "shop.v1.Cart"
PROTO = """
name: "shop/v1/cart.proto" package: "shop.v1" syntax: "proto3"
message_type {
  name: "Item"
  field { name: "sku" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "quantity" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL }
}
message_type {
  name: "Receipt"
  field { name: "number" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "total" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL }
}
service {
  name: "Cart"
  method { name: "Price" input_type: ".shop.v1.Item" output_type: ".shop.v1.Receipt" }
  method {
    name: "Watch" server_streaming: true
    input_type: ".shop.v1.Item" output_type: ".shop.v1.Item"
  }
  method {
    name: "Fill" client_streaming: true
    input_type: ".shop.v1.Item" output_type: ".shop.v1.Receipt"
  }
  method {
    name: "Haggle" client_streaming: true server_streaming: true
    input_type: ".shop.v1.Item" output_type: ".shop.v1.Receipt"
  }
}
"""
PRICES = {"A-1": 500, "B-7": 1200}


def first_edition() -> grpc.aio.Server:
    """Serves the cart as it was at first."""
    return _server(currency=None)


def second_edition() -> grpc.aio.Server:
    """Serves the cart whose receipts tell the currency."""
    return _server(currency="EUR")


def _server(*, currency: str | None) -> grpc.aio.Server:
    file = text_format.Parse(PROTO, FileDescriptorProto())
    if currency is not None:
        file.message_type[1].field.add(name="currency", number=3, type=9, label=1)
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    kinds = {name: GetMessageClass(pool.FindMessageTypeByName(name)) for name in _MESSAGES}
    server = grpc.aio.server()
    cart = Cart(kinds["shop.v1.Receipt"], currency)
    handlers: dict[str, Any] = {
        name: make(
            getattr(cart, name),
            request_deserializer=kinds["shop.v1.Item"].FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        for name, make in _KINDS.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    reflection.enable_server_reflection([SERVICE, reflection.SERVICE_NAME], server, pool)
    return server


_MESSAGES = ("shop.v1.Item", "shop.v1.Receipt")
_KINDS = {
    "Price": grpc.unary_unary_rpc_method_handler,
    "Watch": grpc.unary_stream_rpc_method_handler,
    "Fill": grpc.stream_unary_rpc_method_handler,
    "Haggle": grpc.stream_stream_rpc_method_handler,
}


class Cart:
    """The methods; receipts are numbered from 1 as long as the service runs."""

    def __init__(self, receipt: Any, currency: str | None) -> None:
        self._receipt = receipt
        self._currency = currency
        self._number = 0

    async def Price(self, item: Any, context: Any) -> Any:
        """Tells what an item costs, who asked in the headers, and by what right in the trailers."""
        sent = {key: str(value) for key, value in context.invocation_metadata()}
        await context.send_initial_metadata((("customer", sent.get("customer", "nobody")),))
        context.set_trailing_metadata((("by-right-of", sent.get("authorization", "nothing")),))
        await self._refuse_unknown([item], context)
        return self._made([item])

    async def Watch(self, item: Any, _context: Any) -> AsyncIterator[Any]:
        """Sends the item again and again, one more of it each time, until nobody listens."""
        quantity = 0
        try:
            while True:
                quantity += 1
                yield type(item)(sku=item.sku, quantity=quantity)
        finally:
            print("nobody watches", item.sku, flush=True)

    async def Fill(self, items: AsyncIterator[Any], context: Any) -> Any:
        """Takes items, and tells what all of them cost."""
        taken = [item async for item in items]
        await self._refuse_unknown(taken, context)
        return self._made(taken)

    async def Haggle(self, offers: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Answers each offer with a receipt; one that names an earlier receipt gets a tenth off."""
        given: dict[str, Any] = {}
        async for offer in offers:
            if offer.sku in given:
                receipt = given[offer.sku]
                receipt.total -= receipt.total // 10
            else:
                await self._refuse_unknown([offer], context)
                receipt = self._made([offer])
                given[f"receipt-{receipt.number}"] = receipt
            yield receipt

    def _made(self, items: Iterable[Any]) -> Any:
        self._number += 1
        total = sum(PRICES[item.sku] * item.quantity for item in items)
        receipt = self._receipt(number=self._number, total=total)
        if self._currency is not None:
            receipt.currency = self._currency
        return receipt

    async def _refuse_unknown(self, items: Iterable[Any], context: Any) -> None:
        unknown = [item.sku for item in items if item.sku not in PRICES]
        if not unknown:
            return
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason="UNKNOWN_SKU", domain="shop"))
        status = status_pb2.Status(code=9, message=f"no article {unknown[0]}", details=[detail])
        told = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(
            grpc.StatusCode.FAILED_PRECONDITION, status.message, trailing_metadata=told
        )
