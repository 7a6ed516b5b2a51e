"""The life of a collector: binding, readiness, stopping, and what it counts."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from datetime import timedelta

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc

from collector_reference import AlreadyRegistered, BindError, InvalidRecord, Statistics
from collector_reference.wire.dispatcher_pb2 import ServeRequest

PROBE = "conformance.Probe"


def sleeping(seconds: int) -> Any:
    payload = Any()
    payload.Pack(Duration(seconds=seconds))
    return payload


async def test_the_first_call_after_readiness_already_works(field, text):
    """LOOP-005"""
    collector = field.unstarted(probe=("users",))
    collector.register_service("users", "S", "M", lambda value, _: value)
    await field.running(collector)
    reply = await field.caller(collector.address).serve("users", "S", "M", "x")
    assert reply.output == text("x")


async def test_every_rpc_of_the_contract_is_served_on_one_port(field):
    """WIR-001"""
    collector = await field.collector()
    channel = field.caller(collector.address).channel
    paths = [
        f"/collector.CollectiveDispatcher/{method}" for method in ("Serve", "Connect", "Dispatch")
    ] + [
        f"/collector.CollectorRegistry/{method}"
        for method in (
            "RegisterProto",
            "RegisterService",
            "LookupService",
            "ValidateMethod",
            "ListServices",
        )
    ]
    codes = {path: await channel.unary_unary(path)(b"").code() for path in paths}
    assert codes == dict.fromkeys(paths, grpc.StatusCode.OK) | {
        path: grpc.StatusCode.INVALID_ARGUMENT for path in paths if "/Register" in path
    }
    assert collector.statistics().rpcs == dict.fromkeys(paths, 1)


async def test_it_has_no_address_before_it_is_started_and_starts_once(field):
    collector = field.unstarted()
    with pytest.raises(RuntimeError, match="no address before it is started"):
        _ = collector.address
    await field.running(collector)
    assert collector.address.startswith("127.0.0.1:")
    assert collector.loopback_address == collector.address
    with pytest.raises(RuntimeError, match="started once"):
        await collector.start()


async def test_a_taken_port_is_an_error_that_names_the_address(field):
    first = await field.collector("first")
    second = field.unstarted("second", listen=first.address)
    with pytest.raises(BindError) as caught:
        await second.start()
    assert str(caught.value) == (
        f"cannot listen on {first.address}: "
        "the address is in use: stop who listens there, or use port 0"
    )
    assert (await field.caller(first.address).validate("system", "x", "y")).HasField("status")


@pytest.mark.parametrize(
    ("listen", "reason"),
    [
        ("203.0.113.7:0", "Cannot assign requested address"),
        ("[2001:db8::7]:0", "no such IPv6 address; IPv6 may be off: use 127.0.0.1"),
    ],
)
async def test_an_address_that_this_machine_does_not_have_is_an_error(field, listen, reason):
    with pytest.raises(BindError, match=f"cannot listen on .*{reason}"):
        await field.unstarted(listen=listen).start()


async def test_a_wildcard_is_told_as_an_address_that_can_be_dialled(field, caplog):
    with caplog.at_level(logging.WARNING, "collector_reference.binding"):
        collector = await field.collector(listen="0.0.0.0:0", probe=("users",))
    assert collector.address.startswith("127.0.0.1:")
    assert "plaintext" in caplog.text
    reply = await field.caller(collector.address).serve("users", PROBE, "WhoAmI")
    assert reply.status.code == 200


async def test_the_loopback_is_not_warned_about(field, caplog):
    await field.collector()
    assert "plaintext" not in caplog.text


async def test_calls_in_flight_end_and_new_ones_are_refused_while_it_stops(field):
    """OPS-003"""
    collector = field.unstarted(probe=("users",), refusal_window=timedelta(seconds=5))
    entered, leave = asyncio.Event(), asyncio.Event()

    async def handler(value, context):
        entered.set()
        await leave.wait()
        return "done"

    collector.register_service("users", "S", "M", handler)
    await collector.start()
    caller = field.caller(collector.address)
    health = health_pb2_grpc.HealthStub(caller.channel).Watch(health_pb2.HealthCheckRequest())
    assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
    in_flight = asyncio.ensure_future(caller.serve("users", "S", "M"))
    await entered.wait()
    stopping = asyncio.create_task(collector.stop())
    assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.serve("users", PROBE, "WhoAmI")
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.UNAVAILABLE,
        "the collector is shutting down",
    )
    leave.set()
    assert (await in_flight).status.code == 200
    health.cancel()
    await collector.kill()
    await stopping


async def test_a_call_that_outlives_the_grace_is_cut(field):
    """OPS-003"""
    collector = field.unstarted(probe=("users",))
    await collector.start()
    caller = field.caller(collector.address)
    hung = asyncio.ensure_future(caller.serve("users", PROBE, "Sleep", sleeping(60)))
    await field.until(lambda: bool(collector.statistics().executions))
    started = time.monotonic()
    await collector.stop(timedelta(seconds=0.5))
    assert 0.5 <= time.monotonic() - started < 5
    with pytest.raises(grpc.aio.AioRpcError):
        await hung


async def test_a_plain_handler_that_never_returns_does_not_hold_up_the_end(field):
    collector = field.unstarted()
    entered, leave = threading.Event(), threading.Event()

    def handler(value, context):
        entered.set()
        leave.wait(30)

    collector.register_service("users", "S", "M", handler)
    await collector.start()
    hung = asyncio.ensure_future(field.caller(collector.address).serve("users", "S", "M"))
    await field.until(entered.is_set)
    async with asyncio.timeout(5):
        await collector.stop(timedelta(seconds=0.1))
    with pytest.raises(grpc.aio.AioRpcError):
        await hung
    leave.set()


async def test_stopping_twice_and_without_having_started_is_harmless(field):
    collector = field.unstarted()
    await collector.stop()
    started = await field.collector("other")
    await started.stop(timedelta(0))
    await started.stop()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await field.caller(started.address).validate("a", "b", "c")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_disconnected_collector_routes_to_nobody(field):
    collector = await field.collector(namespaces=("users",), connect_limit=timedelta(seconds=1))
    peer = await field.peer("east")
    await collector.connect_to(peer.address)
    caller = field.caller(collector.address)
    assert (await caller.dispatch("users", "S", "M")).handled_by_collector_id == "east"
    await collector.disconnect()
    assert collector.connections() == ()
    assert (await caller.dispatch("users", "S", "M")).status.code == 404


async def test_it_is_an_asynchronous_context(field):
    async with field.unstarted(refusal_window=timedelta(0)) as collector:
        reply = await field.caller(collector.address).dispatcher.Serve(ServeRequest())
        assert reply.status.code == 400


async def test_validators_and_stops_are_safe_under_traffic(field):
    """CNC-003"""
    collector = field.unstarted(probe=("users",), validation_cache=timedelta(0))
    await collector.start()
    caller = field.caller(collector.address)
    codes: set[object] = set()

    async def calls() -> None:
        while True:
            try:
                codes.add((await caller.serve("users", PROBE, "WhoAmI")).status.code)
            except grpc.aio.AioRpcError as error:
                codes.add(error.code())
                return

    class Open:
        async def validate_service_method(self, namespace, service, method, *, time_left=None):
            await asyncio.sleep(0)

    traffic = [asyncio.create_task(calls()) for _ in range(8)]
    for number in range(50):
        collector.set_registry_validator(Open() if number % 2 else None)
        await asyncio.sleep(0)
    await field.until(lambda: 200 in codes)
    await collector.stop()
    await asyncio.gather(*traffic)
    assert codes <= {200, 503, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


async def test_statistics_count_since_readiness(field):
    collector = await field.collector(probe=("users",))
    assert collector.statistics() == Statistics(rpcs={}, loopback_calls=0, executions={})
    caller = field.caller(collector.address)
    await caller.dispatch("users", PROBE, "Fail", "x")
    await caller.dispatch("users", PROBE, "Fail", "x")
    assert collector.statistics() == Statistics(
        rpcs={
            "/collector.CollectiveDispatcher/Dispatch": 2,
            "/collector.CollectorRegistry/ValidateMethod": 1,
        },
        loopback_calls=1,
        executions={f"users/{PROBE}/Fail": 2},
    )


async def test_registering_declares_the_method_in_the_order_of_registration(field):
    collector = await field.collector()

    def handler(value, context):
        return value

    collector.register_service("users", "S", "B", handler)
    collector.register_service("users", "S", "A", handler)
    collector.register_service("users", "S", "B", handler)
    collector.register_service("users", "S", "Hidden", handler, declare=False)
    collector.declare_method("users", "S", "C")
    caller = field.caller(collector.address)
    valid = [
        method
        for method in ("B", "A", "C", "Hidden")
        if (await caller.validate("users", "S", method)).is_valid
    ]
    assert valid == ["B", "A", "C"]
    with pytest.raises(InvalidRecord):
        collector.declare_method("", "S", "M")
    with pytest.raises(InvalidRecord):
        collector.register_service("users", "S", "", handler)


async def test_a_descriptor_is_registered_as_by_the_rpc_and_without_a_call(field):
    """REG-001, REG-003"""
    collector = await field.collector()
    descriptor = ServiceDescriptorProto(name="Cart", method=[{"name": "Add"}])
    await collector.register_descriptor("shop", descriptor)
    caller = field.caller(collector.address)
    assert (await caller.validate("shop", "Cart", "Add")).is_valid
    assert "/collector.CollectorRegistry/RegisterService" not in collector.statistics().rpcs
    with pytest.raises(AlreadyRegistered):
        await collector.register_descriptor("shop", descriptor)
    with pytest.raises(InvalidRecord):
        await collector.register_descriptor("shop", ServiceDescriptorProto())


async def test_collectors_of_one_process_share_nothing(field):
    first, second = await field.collector("a"), await field.collector("b")
    await field.caller(first.address).register("ns", "S", "M")
    assert not (await field.caller(second.address).validate("ns", "S", "M")).is_valid
