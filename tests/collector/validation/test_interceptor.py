from __future__ import annotations

from typing import NamedTuple

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int64Value
from grpc_health.v1 import health_pb2, health_pb2_grpc

from collector_reference import MemoryStore
from collector_reference.validation.interceptor import LOOPBACK_HEADER, PortGuard
from collector_reference.wire.dispatcher_pb2 import ServeRequest

PORT = "/conformance.Port/"


async def unary(channel, path: str, request=None, answer=Empty):
    return await channel.unary_unary(
        path, request_serializer=Empty.SerializeToString, response_deserializer=answer.FromString
    )(request or Empty())


async def stream(channel, path: str) -> list[Empty]:
    call = channel.unary_stream(
        path, request_serializer=Empty.SerializeToString, response_deserializer=Empty.FromString
    )(Empty())
    return [message async for message in call]


async def runs(channel) -> int:
    return (await unary(channel, PORT + "Runs", answer=Int64Value)).value


async def test_registered_methods_of_both_kinds_pass(field):
    channel = field.caller((await field.collector(probe=("users",))).address).channel
    assert await unary(channel, PORT + "Unary") == Empty()
    assert await stream(channel, PORT + "Stream") == [Empty()] * 3
    assert await runs(channel) == 2


@pytest.mark.parametrize(
    ("call", "name"), [(unary, "Unregistered"), (stream, "UnregisteredStream")]
)
async def test_an_unregistered_method_is_unimplemented_and_does_not_run(field, call, name):
    """VAL-005"""
    channel = field.caller((await field.collector(probe=("users",))).address).channel
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, PORT + name)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.UNIMPLEMENTED,
        f"method {PORT}{name} is not registered in namespace 'system'",
    )
    assert await runs(channel) == 0


async def test_without_validation_unregistered_methods_run_and_are_counted(field):
    collector = await field.collector(probe=("users",), validation=False)
    channel = field.caller(collector.address).channel
    await unary(channel, PORT + "Unregistered")
    await stream(channel, PORT + "UnregisteredStream")
    assert await runs(channel) == 2
    assert collector.statistics().rpcs == {
        PORT + "Unregistered": 1,
        PORT + "UnregisteredStream": 1,
        PORT + "Runs": 1,
    }


@pytest.mark.parametrize("validation", [True, False])
async def test_a_method_that_is_not_mounted_is_unimplemented(field, validation):
    """WIR-008"""
    collector = await field.collector(validation=validation)
    channel = field.caller(collector.address).channel
    for path in ("/collector.CollectiveDispatcher/Nope", "/nobody.Here/Nope", "/odd"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary(channel, path)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_registration_in_another_namespace_does_not_open_the_port(field):
    """VAL-006"""
    caller = field.caller((await field.collector(probe=("users",))).address)
    await caller.register("users", "conformance.Port", "Unregistered")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await unary(caller.channel, PORT + "Unregistered")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_the_same_short_name_in_another_package_is_refused(field):
    """VAL-007"""
    channel = field.caller((await field.collector(probe=("users",))).address).channel
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await unary(channel, "/elsewhere.Port/Unary")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_method_declared_later_is_let_through(field):
    collector = await field.collector(probe=("users",))
    channel = field.caller(collector.address).channel
    with pytest.raises(grpc.aio.AioRpcError):
        await unary(channel, PORT + "Unregistered")
    collector.declare_method("system", "conformance.Port", "Unregistered")
    assert await unary(channel, PORT + "Unregistered") == Empty()


async def test_the_systems_namespace_is_the_one_of_the_settings(field):
    collector = await field.collector(probe=("users",), system_namespace="inner")
    caller = field.caller(collector.address)
    assert await unary(caller.channel, PORT + "Unary") == Empty()
    assert (await caller.validate("inner", "conformance.Port", "Unary")).is_valid
    assert not (await caller.validate("system", "conformance.Port", "Unary")).is_valid


async def test_registry_and_health_pass_the_guard_themselves(field):
    """LOOP-004, OPS-001"""
    collector = await field.collector()
    caller = field.caller(collector.address)
    reply = await health_pb2_grpc.HealthStub(caller.channel).Check(health_pb2.HealthCheckRequest())
    assert reply.status == health_pb2.HealthCheckResponse.SERVING
    assert (await caller.validate("system", "grpc.health.v1.Health", "Check")).is_valid
    assert collector.statistics().rpcs == {
        "/grpc.health.v1.Health/Check": 1,
        "/collector.CollectorRegistry/ValidateMethod": 1,
    }


async def test_undecodable_bytes_are_an_error_and_the_next_call_works(field):
    """WIR-007, WIR-009, SEC-004"""
    caller = field.caller((await field.collector()).address)
    raw = caller.channel.unary_unary("/collector.CollectiveDispatcher/Serve")
    for garbage in (b"\xff\xff\xff", b"\x0a\x02\xff\xfe"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await raw(garbage)
        assert caught.value.code() is not grpc.StatusCode.OK
        assert "Traceback" not in (caught.value.details() or "")
        assert ".py" not in (caught.value.details() or "")
    reply = await caller.dispatcher.Serve(ServeRequest())
    assert reply.status.code == 400


class Details(NamedTuple):
    """What gRPC tells an interceptor of a call."""

    method: str
    invocation_metadata: tuple[tuple[str, str], ...] = ()


async def test_a_draining_guard_lets_only_the_collectors_own_loopback_in():
    """OPS-003"""
    store = MemoryStore()
    guard = PortGuard(store, system_namespace="system", guarding=False, loopback_token="own")
    passed: list[str] = []

    async def continuation(details):
        passed.append(details.method)

    await guard.intercept_service(continuation, Details("/a.B/Before"))
    guard.draining = True
    assert await guard.intercept_service(continuation, Details("/a.B/Foreign")) is not None
    forged = Details("/a.B/Forged", ((LOOPBACK_HEADER, "guessed"),))
    assert await guard.intercept_service(continuation, forged) is not None
    own = Details("/a.B/Own", (("user-agent", "x"), (LOOPBACK_HEADER, "own")))
    await guard.intercept_service(continuation, own)
    assert passed == ["/a.B/Before", "/a.B/Own"]
