"""The probe service answers as PROTOCOL.md, section 4, says."""

from __future__ import annotations

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import Int64Value

from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ServeResponse
from collector_reference.wire.registry_pb2 import LookupServiceRequest

PROBE = "conformance.Probe"
OK = Status(code=Status.HTTP_OK, message="OK")


def packed(message) -> Any:
    payload = Any()
    payload.Pack(message)
    return payload


def returned(message) -> ServeResponse:
    return ServeResponse(status=OK, output=packed(message), executor_id="west")


def failed(text: str) -> ServeResponse:
    return ServeResponse(
        status=Status(code=500, message=f"handler error: {text}"), executor_id="west"
    )


@pytest.fixture
def serve(field):
    async def call(method: str, payload=None, *, namespace: str = "users"):
        return await caller.serve(namespace, PROBE, method, payload)

    caller = None

    async def start(**settings):
        nonlocal caller
        collector = await field.collector(probe=("users", "orders"), **settings)
        caller = field.caller(collector.address)
        return call

    return start


async def test_counts_run_on_per_key_and_collector(serve):
    call = await serve()
    assert await call("Count", "a") == returned(Int64Value(value=1))
    assert await call("Count", "a", namespace="orders") == returned(Int64Value(value=2))
    assert await call("Count", "b") == returned(Int64Value(value=1))
    assert await call("FailAfterCount", "a") == failed("failed after count 3")
    assert await call("Count", "a") == returned(Int64Value(value=4))


async def test_failures(serve):
    call = await serve()
    assert await call("Fail", "as wanted") == failed("as wanted")
    assert await call("Crash") == failed("internal error")
    assert await call("WrongType") == failed("a handler cannot return a value of type object")
    assert await call("Count") == failed("this method takes a google.protobuf.StringValue")
    assert await call("Sleep", "x") == failed("Sleep takes a google.protobuf.Duration")


async def test_answers(serve, text):
    call = await serve()
    assert await call("WhoAmI") == returned_text(text, "west")
    assert await call("WhoAmI", "ignored") == returned_text(text, "west")
    assert await call("Silent", "x") == ServeResponse(status=OK, executor_id="west")
    assert await call("Sleep", packed(Duration(nanos=1))) == returned(Empty())
    assert await call("Cancelled", "k") == returned(Int64Value(value=0))
    assert await call("Echo") == ServeResponse(status=OK, executor_id="west")


def returned_text(text, value: str) -> ServeResponse:
    return ServeResponse(status=OK, output=text(value), executor_id="west")


async def test_unregistered_counts_where_nobody_validates(serve):
    call = await serve(validation=False)
    await call("Count", "k")
    assert await call("Unregistered", "k") == returned(Int64Value(value=2))


async def test_the_record_holds_declared_and_not_unregistered(field):
    caller = field.caller((await field.collector(probe=("users",))).address)
    found = await caller.registry.LookupService(
        LookupServiceRequest(namespace="users", service_name=PROBE)
    )
    assert list(found.service.method_names) == [
        "Echo",
        "WhoAmI",
        "Count",
        "Fail",
        "FailAfterCount",
        "Crash",
        "Sleep",
        "Cancelled",
        "Silent",
        "WrongType",
        "Context",
        "Declared",
    ]


async def test_context_tells_deadline_and_metadata(field):
    collector = await field.collector(probe=("users",))
    caller = field.caller(collector.address)

    async def context(**arguments):
        reply = await caller.dispatch("users", PROBE, "Context", **arguments)
        struct = Struct()
        assert reply.output.Unpack(struct)
        return struct

    told = await context(
        timeout=7, metadata=(("tenant", "a"), ("tenant", "b"), ("blob-bin", b"\x00\xff"))
    )
    assert 5 < told["deadline_seconds"] < 8
    assert list(told["metadata"]["tenant"]) == ["a", "b"]
    assert list(told["metadata"]["blob-bin"]) == ["AP8="]
    untold = await context()
    assert untold.fields["deadline_seconds"].WhichOneof("kind") == "null_value"
    assert "tenant" not in untold["metadata"]


async def test_a_probe_namespace_that_is_not_shared_is_served_locally_only(field):
    west = await field.collector("west", namespaces=("users",))
    east = await field.collector("east", namespaces=("users",), probe=("users", "private"))
    await west.connect_to(east.address)
    caller = field.caller(west.address)
    assert (await caller.dispatch("users", PROBE, "WhoAmI")).handled_by_collector_id == "east"
    assert (await caller.dispatch("private", PROBE, "WhoAmI")).status.code == 404
    reply = await field.caller(east.address).dispatch("private", PROBE, "WhoAmI")
    assert reply.status == OK


async def test_a_collector_without_a_probe_carries_none(field):
    caller = field.caller((await field.collector(namespaces=("users",))).address)
    assert (await caller.serve("users", PROBE, "WhoAmI")).status.code == 404
    assert not (await caller.validate("system", "conformance.Port", "Unary")).is_valid
