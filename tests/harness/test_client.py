"""A client understands every style of answer, and no answer, however hostile, raises anything."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc.aio
import pytest
from google.protobuf import descriptor_pb2, duration_pb2, empty_pb2, struct_pb2, wrappers_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor_pool import Default

from collector_harness.client import NodeClient, Reply, from_any, json_values, to_any
from collector_harness.client.transport import code_at_the_end
from collector_harness.errors import InvalidInput
from collector_harness.runtime import Runtime
from collector_reference import Collector, CollectorSettings
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import DispatchResponse
from collector_reference.wire.registry_pb2 import ListServicesResponse, RegisteredService

DISPATCH = "/collector.CollectiveDispatcher/Dispatch"
LIST = "/collector.CollectorRegistry/ListServices"

Answering = Callable[[bytes, Any], Awaitable[bytes]]


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime() as running:
        yield running


@asynccontextmanager
async def server(*handlers: grpc.GenericRpcHandler) -> AsyncIterator[NodeClient]:
    running = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
    running.add_generic_rpc_handlers(handlers)
    port = running.add_insecure_port("127.0.0.1:0")
    await running.start()
    client = NodeClient(f"127.0.0.1:{port}", node="west")
    try:
        yield client
    finally:
        await client.close()
        await running.stop(None)


class Answers(grpc.GenericRpcHandler):
    """Answers one method with the same bytes for ever."""

    def __init__(self, path: str, answer: bytes | Answering) -> None:
        self._path = path
        self._answer = answer

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        if handler_call_details.method != self._path:
            return None

        async def handle(request: bytes, context: Any) -> bytes:
            if isinstance(self._answer, bytes):
                return self._answer
            return await self._answer(request, context)

        return grpc.unary_unary_rpc_method_handler(handle)


@asynccontextmanager
async def collector() -> AsyncIterator[NodeClient]:
    running = Collector(CollectorSettings(collector_id="west", namespaces=("a",), probe=("a",)))
    await running.start()
    client = NodeClient(running.address, node="west")
    try:
        yield client
    finally:
        await client.close()
        await running.kill()


def dispatched(runtime: Runtime, answer: bytes | Answering, **options: Any) -> Reply:
    async def ask() -> Reply:
        async with server(Answers(DISPATCH, answer)) as client:
            return await client.dispatch("a", "S", "M", **options)

    return runtime.run(ask())


def response(code: int, message: str = "", output: AnyMessage | None = None) -> bytes:
    return DispatchResponse(
        status=Status(code=code, message=message),  # type: ignore[arg-type]
        output=output,
        handled_by_collector_id="east",
    ).SerializeToString()


# How an answer is told


@pytest.mark.parametrize(
    ("code", "status", "layer"),
    [
        (200, "OK", "http-like"),
        (404, "NOT_FOUND", "http-like"),
        (499, "CANCELLED", "http-like"),
        (504, "DEADLINE_EXCEEDED", "http-like"),
        (299, "CODE_299", "http-like"),
        (0, "OK", "in-band"),
        (4, "NOT_FOUND", "in-band"),
        (13, "UNAVAILABLE", "in-band"),
        (77, "CODE_77", "in-band"),
        (-5, "CODE_-5", "in-band"),
    ],
)
def test_a_status_is_told_by_its_canonical_name_and_style(
    runtime: Runtime, code: int, status: str, layer: str
) -> None:
    reply = dispatched(runtime, response(code, "text"))
    assert (reply.status, reply.layer, reply.code) == (status, layer, code)
    assert reply.message == "text"
    assert reply.handled_by == "east"


def test_an_answer_without_status_is_missing_one(runtime: Runtime) -> None:
    reply = dispatched(runtime, b"")
    assert (reply.status, reply.layer, reply.code) == ("MISSING", "grpc", 0)
    assert reply.response == {"handled_by_collector_id": ""}
    assert reply.handled_by is None
    assert not reply.ok


def test_bytes_that_are_no_message_are_undecodable(runtime: Runtime) -> None:
    reply = dispatched(runtime, b"\xff\xff\xff")
    assert (reply.status, reply.layer) == ("UNDECODABLE", "grpc")
    assert "collector_reference" not in reply.status
    assert reply.response is None


def test_a_grpc_error_is_an_answer_too(runtime: Runtime) -> None:
    async def refuse(request: bytes, context: Any) -> bytes:
        await context.abort(
            grpc.StatusCode.ALREADY_EXISTS, "again", trailing_metadata=(("why", "so"),)
        )
        raise AssertionError

    reply = dispatched(runtime, refuse)
    assert (reply.status, reply.layer, reply.code) == ("ALREADY_EXISTS", "grpc", 6)
    assert reply.message == "again"
    assert reply.response is None
    assert ("why", "so") in reply.trailers


def test_a_deadline_that_passes_is_an_answer_too(runtime: Runtime) -> None:
    async def hang(request: bytes, context: Any) -> bytes:
        await asyncio.Event().wait()
        return b""

    reply = dispatched(runtime, hang, timeout=0.1)
    assert (reply.status, reply.layer) == ("DEADLINE_EXCEEDED", "grpc")
    assert 0.05 < reply.seconds < 5


@pytest.mark.parametrize(("left", "status"), [(0.005, "DEADLINE_EXCEEDED"), (60.0, "CANCELLED")])
def test_a_server_whose_clock_is_ahead_cancels_what_has_run_into_its_deadline(
    runtime: Runtime, left: float, status: str
) -> None:
    async def cancel(request: bytes, context: Any) -> bytes:
        await asyncio.sleep(max(0.0, context.time_remaining() - left))
        await context.abort(grpc.StatusCode.CANCELLED, "reset")
        return b""

    reply = dispatched(runtime, cancel, timeout=min(left + 0.2, 30.0))
    assert (reply.status, reply.layer) == (status, "grpc")


@pytest.mark.parametrize(
    ("code", "seconds", "timeout", "told"),
    [
        (1, 0.5, 0.5, 4),
        (1, 0.49, 0.5, 4),
        (1, 0.4, 0.5, 1),
        (1, 0.5, None, 1),
        (4, 0.1, 0.5, 4),
        (14, 0.6, 0.5, 14),
    ],
)
def test_only_what_is_cancelled_at_its_deadline_counts_as_late(
    code: int, seconds: float, timeout: float | None, told: int
) -> None:
    assert code_at_the_end(code, seconds=seconds, timeout=timeout) == told


def test_nobody_at_the_address_is_an_answer_too(runtime: Runtime) -> None:
    async def ask() -> Reply:
        async with NodeClient("127.0.0.1:1") as client:
            return await client.dispatch("a", "S", "M")

    reply = runtime.run(ask())
    assert (reply.status, reply.layer) == ("UNAVAILABLE", "grpc")


def test_a_call_that_its_caller_gives_up_is_cancelled(runtime: Runtime) -> None:
    cancelled = asyncio.Event()

    async def hang(request: bytes, context: Any) -> bytes:
        context.add_done_callback(lambda _: cancelled.set())
        await asyncio.Event().wait()
        return b""

    async def check() -> None:
        async with server(Answers(DISPATCH, hang)) as client:
            call = asyncio.create_task(client.dispatch("a", "S", "M"))
            await asyncio.wait([call], timeout=0.2)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.wait_for(cancelled.wait(), 5)

    runtime.run(check())


def test_headers_and_trailers_come_back_in_order(runtime: Runtime) -> None:
    async def tell(request: bytes, context: Any) -> bytes:
        await context.send_initial_metadata((("one", "1"), ("one", "2"), ("raw-bin", b"\xff")))
        context.set_trailing_metadata((("end", "3"),))
        return response(200)

    reply = dispatched(runtime, tell)
    assert reply.headers == (("one", "1"), ("one", "2"), ("raw-bin", b"\xff"))
    assert reply.trailers == (("end", "3"),)


# Hostile answers


def test_an_output_nested_without_end_is_shown_as_bytes(runtime: Runtime) -> None:
    nested = AnyMessage(type_url="x/google.protobuf.Any")
    for _ in range(300):
        nested = AnyMessage(type_url="x/google.protobuf.Any", value=nested.SerializeToString())
    reply = dispatched(runtime, response(200, output=nested))
    assert reply.ok
    assert isinstance(reply.output, dict)
    assert reply.output.keys() == {"@type", "value"}


def test_a_struct_that_is_too_deep_to_parse_is_shown_as_bytes(runtime: Runtime) -> None:
    deep = b""
    for _ in range(2000):
        # A Value that holds a ListValue that holds one Value.
        inner = b"\x0a" + _varint(len(deep)) + deep
        deep = b"\x32" + _varint(len(inner)) + inner
    output = AnyMessage(type_url="type.googleapis.com/google.protobuf.Value", value=deep)
    reply = dispatched(runtime, response(200, output=output))
    assert reply.output == {
        "@type": "type.googleapis.com/google.protobuf.Value",
        "value": base64.b64encode(deep).decode(),
    }


def test_a_large_answer_is_received(runtime: Runtime) -> None:
    output = to_any("x" * 20_000_000)
    reply = dispatched(runtime, response(200, output=output))
    assert isinstance(reply.output, str)
    assert len(reply.output) == 20_000_000


def test_an_answer_over_the_receive_limit_is_told_as_such(runtime: Runtime) -> None:
    reply = dispatched(runtime, bytes(65 * 1024 * 1024))
    assert (reply.status, reply.layer) == ("RESOURCE_EXHAUSTED", "grpc")


def test_very_many_values_are_cut_off_but_not_the_status(runtime: Runtime) -> None:
    output = AnyMessage(
        type_url="type.googleapis.com/google.protobuf.ListValue", value=b"\x0a\x00" * 2_100_000
    )
    reply = dispatched(runtime, response(200, output=output))
    assert reply.ok
    assert isinstance(reply.output, dict)
    assert reply.output["@type"] == "type.googleapis.com/google.protobuf.ListValue"


@pytest.mark.parametrize(
    ("type_url", "value", "output"),
    [
        ("", b"", {"@type": "", "value": ""}),
        ("", b"abc", {"@type": "", "value": "YWJj"}),
        ("type.googleapis.com/shop.Order", b"\x08\x01", None),
        ("type.googleapis.com/google.protobuf.Struct", b"\xff", None),
        ("type.googleapis.com/google.protobuf.StringValue", b"\x0a\x02\xff\xfe", None),
        ("//", b"\x00", None),
        ("x/\x1b[31m", b"\x00", None),
    ],
)
def test_what_is_not_known_or_broken_is_shown_as_bytes(
    runtime: Runtime, type_url: str, value: bytes, output: object
) -> None:
    reply = dispatched(runtime, response(200, output=AnyMessage(type_url=type_url, value=value)))
    assert reply.output == (
        output or {"@type": type_url, "value": base64.b64encode(value).decode()}
    )


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


# Values


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"a": 1, "b": [True, None, "x", 1.5, {}], "c": {"d": []}}, struct_pb2.Struct),
        ({}, struct_pb2.Struct),
        ([1, "a", None], struct_pb2.ListValue),
        ("text", wrappers_pb2.StringValue),
        ("", wrappers_pb2.StringValue),
        (True, wrappers_pb2.BoolValue),
        (2**63 - 1, wrappers_pb2.Int64Value),
        (-(2**63), wrappers_pb2.Int64Value),
        (1.25, wrappers_pb2.DoubleValue),
        (b"\x00\xff", wrappers_pb2.BytesValue),
    ],
)
def test_a_value_travels_there_and_back(value: object, kind: type) -> None:
    packed = to_any(value)
    assert packed is not None
    assert packed.Is(kind.DESCRIPTOR)  # type: ignore[attr-defined]
    back = from_any(packed)
    assert back == value
    assert type(back) is type(value)


def test_none_leaves_the_input_unset(runtime: Runtime) -> None:
    assert to_any(None) is None

    async def echo_is_set(request: bytes, context: Any) -> bytes:
        from collector_reference.wire.dispatcher_pb2 import DispatchRequest

        return response(200, str(DispatchRequest.FromString(request).HasField("input")))

    assert dispatched(runtime, echo_is_set).message == "False"


def test_whole_numbers_of_a_struct_are_ints() -> None:
    packed = to_any({"id": 7, "price": 7.5})
    assert packed is not None
    back = from_any(packed)
    assert json_values(back) == {"id": 7, "price": 7.5}
    assert isinstance(back, dict)
    assert type(back["id"]) is int


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ({"@type": "google.protobuf.Duration", "value": "1.5s"}, "1.500s"),
        ({"@type": "type.googleapis.com/google.protobuf.Empty"}, {}),
        (
            {"@type": "type.googleapis.com/collector.Status", "code": 404, "message": "m"},
            {
                "@type": "type.googleapis.com/collector.Status",
                "code": 404,
                "message": "m",
                "details": {},
            },
        ),
        (
            {"@type": "example.com/unknown.Type", "@bytes": "AAE="},
            {"@type": "example.com/unknown.Type", "value": "AAE="},
        ),
        ({"@type": "", "@bytes": ""}, {"@type": "", "value": ""}),
    ],
)
def test_a_typed_value_travels_under_its_type(value: object, output: object) -> None:
    packed = to_any(value)
    assert packed is not None
    assert from_any(packed) == output


def test_messages_are_sent_as_they_are() -> None:
    packed = AnyMessage(type_url="x", value=b"y")
    assert to_any(packed) is packed
    duration = to_any(duration_pb2.Duration(seconds=3))
    assert duration is not None
    assert duration.Is(duration_pb2.Duration.DESCRIPTOR)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**63, "does not fit a 64-bit integer"),
        ({"a": 2**53 + 1}, r"input\.a is 9007199254740993"),
        ({1: "x"}, "the key 1 of input is not text"),
        ({"a": [{"b": b"x"}]}, r"input\.a\[0\]\.b is bytes"),
        ({"a": object()}, r"input\.a is a object"),
        (object(), "input is a object"),
        ({"a": "\ud800"}, "not valid Unicode"),
        ({"@type": 7}, "which is no text"),
        ({"@type": "google.protobuf.Duraton"}, r"did you mean 'google\.protobuf\.Duration'\?"),
        ({"@type": "shop.Order"}, "is not known"),
        ({"@type": "google.protobuf.Duration", "value": "soon"}, "does not fit"),
        ({"@type": "x/y", "@bytes": "?"}, "not base64"),
    ],
)
def test_a_value_that_does_not_fit_says_where(value: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        to_any(value)


def test_a_value_nested_too_deep_is_refused() -> None:
    nested: object = 1
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(InvalidInput, match="levels deep"):
        to_any(nested)


def test_json_values_hold_only_what_json_can() -> None:
    assert json_values({"a": b"\xff", "b": [float("nan"), float("-inf")], "c": (1,)}) == {
        "a": "/w==",
        "b": ["NaN", "-Infinity"],
        "c": [1],
    }


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"Tenant": "x"}, "is not a metadata key"),
        ({"ten ant": "x"}, "is not a metadata key"),
        ({"grpc-timeout": "1S"}, "is not a metadata key"),
        ({"tenant": "grün"}, r"under the key 'tenant-bin'"),
        ({"tenant": "a\nb"}, "not printable ASCII"),
        ({"tenant": b"x"}, "not printable ASCII"),
    ],
)
def test_metadata_that_cannot_be_sent_is_refused(
    runtime: Runtime, metadata: dict[str, str | bytes], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        dispatched(runtime, response(200), metadata=metadata)


# The eight RPCs, on the reference


def test_every_rpc_of_the_contract_is_called(runtime: Runtime) -> None:
    async def check() -> None:
        async with collector() as client:
            reply = await client.dispatch("a", "conformance.Probe", "WhoAmI", {"x": 1})
            assert (reply.status, reply.output, reply.handled_by) == ("OK", "west", "west")
            assert reply.request == {
                "namespace": "a",
                "service": {"namespace": "", "service_name": "conformance.Probe"},
                "method_name": "WhoAmI",
                "input": {"x": 1},
                "target_collector_id": "",
                "routing_hints": {},
            }
            reply = await client.serve("a", "conformance.Probe", "Echo", b"\x01")
            assert (reply.output, reply.handled_by) == (b"\x01", "west")
            assert reply.response == {
                "status": {"code": 200, "message": "OK", "details": {}},
                "output": "AQ==",
                "executor_id": "west",
            }
            reply = await client.connect("east", "127.0.0.1:1", ["a", "b"])
            assert reply.ok
            assert isinstance(reply.output, dict)
            assert reply.output["shared_namespaces"] == ["a"]

            reply = await client.register_service("a", "Shop", ["Buy", "Sell"])
            assert (reply.status, reply.layer) == ("OK", "in-band")
            assert isinstance(reply.output, dict)
            assert reply.output["registered_methods"] == ["Buy", "Sell"]
            reply = await client.register_service("a", "Shop", ["Buy"])
            assert (reply.status, reply.layer) == ("ALREADY_EXISTS", "grpc")
            assert (await client.validate("a", "Shop", "Sell")).ok
            reply = await client.validate("a", "Shop", "Steal")
            assert (reply.status, reply.layer) == ("NOT_FOUND", "in-band")
            reply = await client.lookup_service("a", "Shop")
            assert isinstance(reply.output, dict)
            assert reply.output["service"]["method_names"] == ["Buy", "Sell"]
            reply = await client.list_services("a")
            assert isinstance(reply.output, dict)
            assert {each["id"] for each in reply.output["services"]} == {
                "a/Shop",
                "a/conformance.Probe",
            }
            file = descriptor_pb2.FileDescriptorProto(
                name="shop.proto", message_type=[descriptor_pb2.DescriptorProto(name="Order")]
            )
            reply = await client.register_proto("a", file)
            assert isinstance(reply.output, dict)
            assert reply.output["registered_messages"] == ["Order"]
            assert (await client.register_proto("a", None)).status == "INVALID_ARGUMENT"
            assert (await client.health()).output == {"status": "SERVING"}

    runtime.run(check())


def test_int64_of_an_output_is_an_int(runtime: Runtime) -> None:
    async def check() -> Reply:
        async with collector() as client:
            return await client.dispatch("a", "conformance.Probe", "Count", "key")

    assert runtime.run(check()).output == 1


# Calls by name


def test_known_services_are_called_without_reflection(runtime: Runtime) -> None:
    async def check() -> None:
        async with collector() as client:
            reply = await client.call("/collector.CollectorRegistry/ValidateMethod", None)
            assert (reply.status, reply.layer) == ("NOT_FOUND", "in-band")
            reply = await client.call(
                "collector.CollectiveDispatcher/Dispatch",
                {
                    "namespace": "a",
                    "service": {"service_name": "conformance.Probe"},
                    "method_name": "Echo",
                    "input": {
                        "@type": "type.googleapis.com/google.protobuf.Int64Value",
                        "value": "9007199254740993",
                    },
                },
            )
            assert (reply.output, reply.handled_by) == (9007199254740993, "west")
            assert (await client.call("conformance.Port/Runs")).output == 0
            assert (await client.call("conformance.Port/Unary", {})).output == {}
            assert (await client.call("conformance.Port/Stream")).output == [{}, {}, {}]
            assert (await client.call("conformance.Port/Runs")).output == 2
            reply = await client.call("conformance.Port/UnregisteredStream")
            assert (reply.status, reply.output) == ("UNIMPLEMENTED", [])
            reply = await client.call("grpc.health.v1.Health/Check", {"service": "nope"})
            assert (reply.status, reply.layer) == ("NOT_FOUND", "grpc")

    runtime.run(check())


@pytest.mark.parametrize(
    ("method", "request_", "message"),
    [
        ("collector.CollectorRegistry/ListService", None, "did you mean 'ListServices'"),
        ("collector.CollectorRegistri/ListServices", None, "mean 'collector.CollectorRegistry'"),
        ("nothing.Like/This", None, "tells nothing of a service 'nothing.Like'"),
        ("no-slash", None, "is not the name of a method"),
        ("/", None, "is not the name of a method"),
        ("a b/c", None, "is not the name of a method"),
        (
            "collector.CollectorRegistry/ListServices",
            {"namespase": "x"},
            "has no field 'namespase'\nhint: did you mean 'namespace'",
        ),
        ("collector.CollectorRegistry/ListServices", {"namespace": 7}, "does not fit"),
        ("collector.CollectorRegistry/ListServices", [1], "its fields are: namespace"),
    ],
)
def test_what_cannot_be_called_says_why(
    runtime: Runtime, method: str, request_: object, message: str
) -> None:
    async def ask() -> None:
        async with collector() as client:
            await client.call(method, request_)

    with pytest.raises(InvalidInput, match=message):
        runtime.run(ask())


def test_raw_calls_need_no_knowledge(runtime: Runtime) -> None:
    async def check() -> None:
        async with collector() as client:
            reply = await client.call_raw("/no.Such/Method", b"\x01")
            assert (reply.status, reply.layer) == ("UNIMPLEMENTED", "grpc")
            reply = await client.call_raw("conformance.Port/Unary", b"")
            assert (reply.status, reply.output) == ("OK", b"")
            reply = await client.call_raw("conformance.Port/Stream", b"", streaming=True)
            assert reply.output == [b"", b"", b""]
            reply = await client.call_raw(DISPATCH, b"\xff\xff")
            assert reply.layer == "grpc"
            assert reply.status != "OK"
            assert reply.request == {"@bytes": "//8="}

    runtime.run(check())


def test_a_stream_without_end_is_cut_off(runtime: Runtime) -> None:
    class Endless(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            async def handle(request: bytes, context: Any) -> AsyncIterator[bytes]:
                while True:
                    yield b""

            return grpc.unary_stream_rpc_method_handler(handle)

    async def ask() -> Reply:
        async with server(Endless()) as client:
            return await client.call_raw("x.Y/Z", b"", streaming=True, timeout=None)

    reply = runtime.run(ask())
    assert reply.status == "RESOURCE_EXHAUSTED"
    assert isinstance(reply.output, list)
    assert len(reply.output) == 10_001


def test_a_huge_list_of_services_is_received(runtime: Runtime) -> None:
    listed = ListServicesResponse(
        status=Status(code=Status.OK),
        services=[RegisteredService(id=f"a/{number}") for number in range(50_000)],
    ).SerializeToString()

    async def ask() -> Reply:
        async with server(Answers(LIST, listed)) as client:
            return await client.list_services()

    reply = runtime.run(ask())
    assert isinstance(reply.output, dict)
    assert len(reply.output["services"]) == 50_000


def test_the_default_pool_stays_the_users(runtime: Runtime) -> None:
    async def ask() -> None:
        async with collector() as client:
            await client.call("collector.CollectorRegistry/ListServices")

    runtime.run(ask())
    for name in ("collector.Status", "conformance.Port"):
        with pytest.raises(KeyError):
            Default().FindMessageTypeByName(name)
    with pytest.raises(KeyError):
        Default().FindFileByName("collector/common.proto")


def test_timeouts_are_deadlines_of_the_call(runtime: Runtime) -> None:
    left: list[float | None] = []

    async def tell(request: bytes, context: Any) -> bytes:
        left.append(context.time_remaining())
        return response(200)

    for timeout in (timedelta(seconds=100).total_seconds(), None):
        dispatched(runtime, tell, timeout=timeout)
    assert left[0] is not None
    assert 90 < left[0] <= 101
    assert left[1] is None


def test_an_empty_message_is_an_empty_mapping() -> None:
    packed = to_any(empty_pb2.Empty())
    assert packed is not None
    assert from_any(packed) == {}
