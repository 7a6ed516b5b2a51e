"""A method that nobody knows is called by what the node tells of it, as far as it tells."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.descriptor_pool import Default
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from collector_harness.client import NodeClient
from collector_harness.client.pools import known_types
from collector_harness.client.reflection import Unanswered
from collector_harness.errors import InvalidInput
from collector_harness.runtime import Runtime

V1 = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
V1ALPHA = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def field(
    name: str, number: int, type_name: str = "", kind: FieldDescriptorProto.Type.ValueType = 9
) -> FieldDescriptorProto:
    if type_name and kind == 9:
        kind = FieldDescriptorProto.TYPE_MESSAGE
    made = FieldDescriptorProto(name=name, number=number, type=kind, label=1, json_name=name)
    if type_name:
        made.type_name = type_name
    return made


MONEY = FileDescriptorProto(
    name="shop/money.proto",
    package="shop",
    syntax="proto3",
    message_type=[DescriptorProto(name="Money", field=[field("currency", 1)])],
    enum_type=[
        EnumDescriptorProto(name="Kind", value=[EnumValueDescriptorProto(name="CASH", number=0)])
    ],
)
SHOP = FileDescriptorProto(
    name="shop/shop.proto",
    package="shop",
    syntax="proto3",
    dependency=["shop/money.proto", "google/protobuf/wrappers.proto"],
    message_type=[
        DescriptorProto(
            name="Order",
            field=[
                field("sku", 1),
                field("price", 2, ".shop.Money"),
                field("kind", 3, ".shop.Kind", FieldDescriptorProto.TYPE_ENUM),
                field("note", 4, ".google.protobuf.StringValue"),
                field("line", 5, ".shop.Order.Line"),
            ],
            nested_type=[DescriptorProto(name="Line", field=[field("text", 1)])],
        )
    ],
    service=[
        ServiceDescriptorProto(
            name="Shop",
            method=[
                MethodDescriptorProto(
                    name="Echo", input_type=".shop.Order", output_type=".shop.Order"
                ),
                MethodDescriptorProto(
                    name="Price", input_type=".shop.Order", output_type=".shop.Money"
                ),
                MethodDescriptorProto(
                    name="Upload",
                    input_type=".shop.Order",
                    output_type=".shop.Order",
                    client_streaming=True,
                ),
            ],
        )
    ],
)
CIRCLE = [
    FileDescriptorProto(name="a.proto", dependency=["b.proto"], package="circle"),
    FileDescriptorProto(
        name="b.proto",
        package="circle",
        dependency=["a.proto"],
        service=[ServiceDescriptorProto(name="Round")],
    ),
]


class Shop(grpc.GenericRpcHandler):
    """Echoes, and tells of itself what it is told to tell."""

    def __init__(
        self,
        path: str,
        by_symbol: dict[str, list[FileDescriptorProto]],
        by_name: dict[str, FileDescriptorProto],
        garbage: bool = False,
    ) -> None:
        self._path = path
        self._by_symbol = by_symbol
        self._by_name = by_name
        self._garbage = garbage

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method
        if method == self._path:
            return grpc.stream_stream_rpc_method_handler(self._reflect)
        if method.startswith("/shop.Shop/"):

            async def echo(request: bytes, context: Any) -> bytes:
                return request

            return grpc.unary_unary_rpc_method_handler(echo)
        return None

    async def _reflect(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for body in requests:
            if self._garbage:
                yield b"\xff\xff"
                continue
            request = ServerReflectionRequest.FromString(body)
            answer = ServerReflectionResponse()
            files: list[FileDescriptorProto] = []
            if request.HasField("file_containing_symbol"):
                files = self._by_symbol.get(request.file_containing_symbol, [])
            elif request.HasField("file_by_filename"):
                found = self._by_name.get(request.file_by_filename)
                files = [found] if found else []
            if request.HasField("list_services"):
                for name in self._by_symbol:
                    answer.list_services_response.service.add(name=name)
            elif files:
                for file in files:
                    answer.file_descriptor_response.file_descriptor_proto.append(
                        file.SerializeToString()
                    )
            else:
                answer.error_response.error_code = 5
            yield answer.SerializeToString()


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime() as running:
        yield running


@asynccontextmanager
async def shop(handler: Shop) -> AsyncIterator[NodeClient]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    client = NodeClient(f"127.0.0.1:{port}", node="west")
    try:
        yield client
    finally:
        await client.close()
        await server.stop(None)


@pytest.mark.parametrize("path", [V1, V1ALPHA])
@pytest.mark.parametrize(
    ("told", "named"),
    [
        ([SHOP, MONEY], {}),
        ([MONEY, SHOP], {}),
        ([SHOP], {"shop/money.proto": MONEY}),
    ],
    ids=["at once", "in order", "one by one"],
)
def test_an_unknown_method_is_called_by_reflection(
    runtime: Runtime,
    path: str,
    told: list[FileDescriptorProto],
    named: dict[str, FileDescriptorProto],
) -> None:
    async def check() -> None:
        async with shop(Shop(path, {"shop.Shop": told}, named)) as client:
            reply = await client.call(
                "shop.Shop/Echo",
                {"sku": "A1", "price": {"currency": "EUR"}, "note": "n", "line": {"text": "t"}},
            )
            assert reply.status == "OK"
            assert reply.output == {
                "sku": "A1",
                "price": {"currency": "EUR"},
                "kind": "CASH",
                "note": "n",
                "line": {"text": "t"},
            }
            # From now on its types are known for inputs as well.
            packed = {"@type": "shop.Money", "currency": "USD"}
            reply = await client.dispatch("a", "S", "M", packed)
            assert reply.request["input"] == {  # type: ignore[index]
                "@type": "type.googleapis.com/shop.Money",
                "currency": "USD",
            }

    runtime.run(check())
    with pytest.raises(KeyError):
        Default().FindMessageTypeByName("shop.Order")


def test_a_file_whose_imports_are_lost_is_used_as_far_as_it_goes(runtime: Runtime) -> None:
    async def check() -> None:
        async with shop(Shop(V1, {"shop.Shop": [SHOP]}, {})) as client:
            reply = await client.call("shop.Shop/Echo", {"sku": "A1", "note": "n", "kind": 0})
            assert reply.ok
            assert reply.output == {
                "sku": "A1",
                "price": b"",
                "kind": 0,
                "note": "n",
            }
            with pytest.raises(InvalidInput, match="no method 'Price'"):
                await client.call("shop.Shop/Price", {})

    runtime.run(check())


def test_a_method_that_takes_a_stream_is_refused(runtime: Runtime) -> None:
    async def check() -> None:
        async with shop(Shop(V1, {"shop.Shop": [SHOP, MONEY]}, {})) as client:
            await client.call("shop.Shop/Upload", {})

    with pytest.raises(InvalidInput, match="takes a stream"):
        runtime.run(check())


def test_a_name_that_is_nearly_told_gets_a_hint(runtime: Runtime) -> None:
    async def check() -> None:
        async with shop(Shop(V1, {"shop.Shop": [SHOP, MONEY]}, {})) as client:
            await client.call("shop.Shopp/Echo", {})

    with pytest.raises(InvalidInput, match=r"did you mean 'shop\.Shop'\?"):
        runtime.run(check())


@pytest.mark.parametrize(
    "handler",
    [
        Shop(V1, {"circle.Round": CIRCLE}, {}),
        Shop(V1, {"circle.Round": [CIRCLE[1]]}, {"a.proto": CIRCLE[0]}),
        Shop(V1, {"circle.Round": [FileDescriptorProto(name="x", package="1 bad")]}, {}),
        Shop(V1, {"circle.Round": [MONEY, MONEY]}, {}),
        Shop(V1, {}, {}),
        Shop(V1, {}, {}, garbage=True),
        Shop("/no.reflection/AtAll", {}, {}),
    ],
    ids=["circle", "circle by name", "bad file", "another file", "nothing", "garbage", "absent"],
)
def test_hostile_reflection_only_leaves_the_method_unknown(runtime: Runtime, handler: Shop) -> None:
    async def check() -> None:
        async with shop(handler) as client:
            async with asyncio.timeout(10):
                with pytest.raises(InvalidInput, match=r"circle\.Round"):
                    await client.call("circle.Round/Trip", {})
            assert (await client.call_raw("shop.Shop/Echo", b"x")).output == b"x"

    runtime.run(check())


def test_whoever_does_not_answer_is_told_as_that_and_not_as_silent_about_itself(
    runtime: Runtime,
) -> None:
    """A first call asks what there is before it: where nobody answers that, nobody would have
    answered the call.
    """

    async def check() -> None:
        # It takes connections, as who stands still does, and says nothing.
        with socket.create_server(("127.0.0.1", 0)) as paused:
            async with NodeClient("{}:{}".format(*paused.getsockname()), node="west") as client:
                reply = await client.call("shop.Shop/Echo", {"sku": "A1"}, timeout=0.2)
                # Either time may be over first: that of the call, or that for connecting.
                assert reply.status in ("DEADLINE_EXCEEDED", "UNAVAILABLE")
                assert (reply.node, reply.rpc) == ("west", "/shop.Shop/Echo")
                assert reply.request == {"sku": "A1"}
                assert reply.seconds > 0
                with pytest.raises(Unanswered):
                    await client.open_stream("shop.Shop/Echo", timeout=0.2)
            address = "{}:{}".format(*paused.getsockname())
        async with NodeClient(address, node="west") as client:
            reply = await client.call("shop.Shop/Echo", {"sku": "A1"})
            assert (reply.status, reply.layer) == ("UNAVAILABLE", "grpc")

    runtime.run(check())


def test_what_nobody_answered_is_asked_again(runtime: Runtime) -> None:
    async def check() -> None:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((Shop(V1, {"shop.Shop": [SHOP, MONEY]}, {}),))
        port = server.add_insecure_port("127.0.0.1:0")
        async with NodeClient(f"127.0.0.1:{port}", node="west") as client:
            assert (await client.call("shop.Shop/Echo", {}, timeout=0.2)).status != "OK"
            await server.start()
            try:
                await client.until_connected(seconds=10)
                assert (await client.call("shop.Shop/Echo", {"sku": "A1"})).status == "OK"
            finally:
                await server.stop(None)

    runtime.run(check())


def test_a_node_that_refuses_reflection_is_told_with_its_status(runtime: Runtime) -> None:
    class Guarded(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            async def refuse(requests: Any, context: Any) -> None:
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")

            return grpc.stream_stream_rpc_method_handler(refuse)

    async def check() -> None:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((Guarded(),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with NodeClient(f"127.0.0.1:{port}", node="west") as client:
                await client.call("shop.Shop/Echo", {})
        finally:
            await server.stop(None)

    with pytest.raises(InvalidInput, match="it refuses reflection, by UNAUTHENTICATED"):
        runtime.run(check())


@pytest.mark.parametrize("package", ["grpc.reflection.v1", "grpc.reflection.v1alpha"])
def test_reflection_is_known_without_reflection(package: str) -> None:
    """Many a collector does not list reflection among what it reflects."""
    methods = known_types().methods(f"{package}.ServerReflection")
    assert methods is not None
    method = methods["ServerReflectionInfo"]
    assert (method.client_streaming, method.server_streaming) == (True, True)
    assert method.input_type.full_name == f"{package}.ServerReflectionRequest"
    assert method.output_type.fields_by_name["list_services_response"].message_type.full_name == (
        f"{package}.ListServiceResponse"
    )
