"""Ordinary gRPC servers, as anybody would write them, whose descriptors the collector must find."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import (
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection

SERVICE = "shop.v1.Orders"


def _files() -> FileDescriptorSet:
    """Two files, so that one has to be found by what imports it."""
    types = FileDescriptorProto(name="shop/v1/types.proto", package="shop.v1", syntax="proto3")
    order = types.message_type.add(name="Order")
    for number, (name, kind) in enumerate(
        (
            ("sku", FieldDescriptorProto.TYPE_STRING),
            ("count", FieldDescriptorProto.TYPE_INT64),
            ("note", FieldDescriptorProto.TYPE_STRING),
        ),
        start=1,
    ):
        order.field.add(
            name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL
        )
    orders = FileDescriptorProto(
        name="shop/v1/orders.proto",
        package="shop.v1",
        syntax="proto3",
        dependency=["shop/v1/types.proto"],
    )
    for name, methods in (
        ("Orders", ("Create", "Fail", "Wait", "Context")),
        ("Feed", ("Create", "Watch", "Upload")),
    ):
        service = orders.service.add(name=name)
        for method in methods:
            service.method.add(
                name=method,
                input_type=".shop.v1.Order",
                output_type=".shop.v1.Order",
                server_streaming=method == "Watch",
                client_streaming=method == "Upload",
            )
    return FileDescriptorSet(file=[orders, types])


class Shop:
    """The server: it counts, fails as it is told, waits, and tells what it was sent."""

    def __init__(self) -> None:
        self.files = _files()
        pool = DescriptorPool()
        for file in reversed(self.files.file):
            pool.Add(file)
        self.pool = pool
        self.Order: Any = message_factory.GetMessageClass(
            pool.FindMessageTypeByName("shop.v1.Order")
        )
        self.runs = 0
        self.waiting = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.metadata: dict[str, Any] = {}
        self.remaining: float | None = None
        self.address = ""
        self.server: grpc.aio.Server | None = None

    async def create(self, order: Any, context: Any) -> Any:
        self.runs += 1
        self.metadata = dict(context.invocation_metadata())
        self.remaining = context.time_remaining()
        return self.Order(sku=order.sku, count=order.count + 1, note="made")

    async def fail(self, order: Any, context: Any) -> Any:
        self.runs += 1
        await context.abort(getattr(grpc.StatusCode, order.sku), f"no: {order.note}")

    async def wait(self, order: Any, _context: Any) -> Any:
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def start(
        self,
        *,
        reflects: bool = True,
        credentials: grpc.ServerCredentials | None = None,
        at: str = "127.0.0.1:0",
    ) -> None:
        self.server = server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))

        def handler(behaviour: Callable[..., Any]) -> Any:
            return grpc.unary_unary_rpc_method_handler(
                behaviour,
                request_deserializer=self.Order.FromString,
                response_serializer=self.Order.SerializeToString,
            )

        methods = {"Create": self.create, "Fail": self.fail, "Wait": self.wait}
        server.add_generic_rpc_handlers(
            tuple(
                grpc.method_handlers_generic_handler(
                    name, {key: handler(value) for key, value in methods.items()}
                )
                for name in (SERVICE, "shop.v1.Feed")
            )
        )
        if reflects:
            reflection.enable_server_reflection([SERVICE], server, pool=self.pool)
        port = (
            server.add_insecure_port(at)
            if credentials is None
            else server.add_secure_port(at, credentials)
        )
        self.address = f"127.0.0.1:{port}"
        await server.start()

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop(None)


@pytest.fixture
def shop_in(field: Any) -> Callable[..., Any]:
    """Starts such a server that is gone after the test."""

    async def start(
        *, reflects: bool = True, credentials: grpc.ServerCredentials | None = None
    ) -> Shop:
        shop = Shop()
        await shop.start(reflects=reflects, credentials=credentials)
        field.after(shop.stop)
        return shop

    return start
