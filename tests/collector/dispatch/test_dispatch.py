"""Where Dispatch sends calls, over real ports."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration

from collector_reference import RoutingSettings
from collector_reference.wire.common_pb2 import ServiceTypeRef, Status
from collector_reference.wire.dispatcher_pb2 import (
    DispatchRequest,
    DispatchResponse,
    ServeRequest,
    ServeResponse,
)

PROBE = "conformance.Probe"
OK = Status(code=Status.HTTP_OK, message="OK")


def answer(code: int, message: str, handled_by: str = "") -> DispatchResponse:
    return DispatchResponse(
        status=Status(code=code, message=message), handled_by_collector_id=handled_by
    )


async def connected(field, *peers, **settings):
    """Returns a caller of a collector that is connected with the peers, and the collector."""
    collector = await field.collector(**{"namespaces": ("users",), **settings})
    for peer in peers:
        await collector.connect_to(peer.address)
    return field.caller(collector.address), collector


async def test_a_local_handler_comes_first(field, text):
    """DSP-003"""
    peer = await field.peer("east")
    caller, _ = await connected(field, peer, probe=("users",))
    for _ in range(3):
        assert await caller.dispatch("users", PROBE, "WhoAmI") == DispatchResponse(
            status=OK, output=text("west"), handled_by_collector_id="west"
        )
    assert peer.served == []


async def test_without_a_handler_a_peer_that_shares_the_namespace_serves(field, text):
    """DSP-004"""
    peer = await field.peer("east")
    caller, _ = await connected(field, peer)
    assert await caller.dispatch("users", "S", "M", "x") == DispatchResponse(
        status=OK, output=text("x"), handled_by_collector_id="east"
    )
    assert peer.served == [
        ServeRequest(
            namespace="users",
            service=ServiceTypeRef(service_name="S"),
            method_name="M",
            input=text("x"),
        )
    ]


async def test_nobody_to_serve_is_not_found(field):
    """DSP-005, ISO-002"""
    peer = await field.peer("east")
    caller, _ = await connected(field, peer, namespaces=("users",))
    assert await caller.dispatch("orders", "S", "M") == answer(
        404, "no collector found for namespace 'orders'"
    )
    assert peer.served == []


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (DispatchRequest(), "namespace is required"),
        (DispatchRequest(namespace="users"), "service is required"),
        (
            DispatchRequest(namespace="users", service=ServiceTypeRef(service_name="S")),
            "method_name is required",
        ),
        (
            DispatchRequest(
                namespace="users",
                service=ServiceTypeRef(service_name="S", namespace="orders"),
                method_name="M",
                target_collector_id="east",
            ),
            "service.namespace 'orders' contradicts namespace 'users'",
        ),
    ],
)
async def test_an_incomplete_request_is_refused(field, request_, message):
    """SRV-002, SRV-014"""
    caller, _ = await connected(field, await field.peer("east"))
    assert await caller.dispatcher.Dispatch(request_) == answer(400, message)


async def test_a_target_runs_it_even_where_a_handler_is_nearer(field):
    """DSP-001"""
    peers = [await field.peer("east"), await field.peer("north")]
    caller, _ = await connected(field, *peers, probe=("users",))
    reply = await caller.dispatch("users", PROBE, "WhoAmI", target="north")
    assert reply == DispatchResponse(status=OK, handled_by_collector_id="north")
    assert [len(peer.served) for peer in peers] == [0, 1]


async def test_ones_own_id_as_target_runs_here(field, text):
    """DSP-006"""
    peer = await field.peer("east")
    caller, collector = await connected(field, peer, probe=("users", "private"))
    for namespace in ("users", "private"):
        assert (await caller.dispatch(namespace, PROBE, "WhoAmI", target="west")).output == text(
            "west"
        )
    assert await caller.dispatch("users", PROBE, "Declared", target="west") == answer(
        404, f"method '{PROBE}.Declared' not found in namespace 'users'", "west"
    )
    assert peer.served == []
    assert collector.statistics().executions["private/conformance.Probe/WhoAmI"] == 1


async def test_a_target_that_is_not_connected_or_does_not_share_gets_nothing(field):
    """DSP-002, DSP-007, DSP-013"""
    peer = await field.peer("east")
    caller, collector = await connected(field, peer, probe=("users", "private"))
    assert await caller.dispatch("users", PROBE, "WhoAmI", target="south") == answer(
        404, "no connection to collector 'south'"
    )
    assert await caller.dispatch("private", PROBE, "WhoAmI", target="east") == answer(
        404, "namespace 'private' is not shared with collector 'east'"
    )
    assert peer.served == []
    assert collector.statistics().executions == {}


@pytest.mark.parametrize("code", [404, 500, 429, 503, 299, 7777])
async def test_the_targets_status_is_relayed_as_it_is(field, code):
    """DSP-007, DSP-008, WIR-003"""
    peer = await field.peer("east")
    other = await field.peer("north")
    status = Status(code=code, message="as it is", details={"k": "v"})

    async def refuse(request, context):
        return ServeResponse(status=status, executor_id="east")

    peer.on_serve = refuse
    caller, _ = await connected(field, peer, other)
    reply = await caller.dispatch("users", "S", "M", target="east")
    assert reply == DispatchResponse(status=status, handled_by_collector_id="east")
    assert other.served == []


async def test_a_target_that_is_down_is_unavailable(field):
    """DSP-012"""
    west = await field.collector("west", namespaces=("users",))
    east = field.unstarted("east", namespaces=("users",))
    await east.start()
    await west.connect_to(east.address)
    await east.kill()
    await field.until(lambda: not west.connections()[0].established)
    caller = field.caller(west.address)
    assert await caller.dispatch("users", "S", "M", target="east", timeout=5) == answer(
        503, "collector 'east' cannot be reached", "east"
    )
    assert await caller.dispatch("users", "S", "M", timeout=5) == answer(
        404, "no collector found for namespace 'users'"
    )


@pytest.mark.parametrize("code", [404, 501])
async def test_a_peer_at_which_nothing_ran_is_skipped_for_a_good_one(field, code):
    """DSP-011"""
    peers = [await field.peer(name) for name in ("a", "b", "c")]

    async def refuse(request, context):
        return ServeResponse(status=Status(code=code, message="not here"))

    peers[0].on_serve = peers[1].on_serve = refuse
    caller, _ = await connected(field, *peers)
    for _ in range(4):
        reply = await caller.dispatch("users", "S", "M")
        assert reply == DispatchResponse(status=OK, handled_by_collector_id="c")


@pytest.mark.parametrize("code", [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND])
async def test_a_peer_that_does_not_serve_at_all_is_skipped(field, code):
    """DSP-011"""
    bad, good = await field.peer("bad"), await field.peer("good")

    async def refuse(request, context):
        await context.abort(code, "no such thing")

    bad.on_serve = refuse
    caller, _ = await connected(field, bad, good)
    for _ in range(3):
        assert (await caller.dispatch("users", "S", "M")).handled_by_collector_id == "good"
    assert bad.served


async def test_when_every_peer_skips_nobody_is_found(field):
    """DSP-005"""
    peer = await field.peer("a")

    async def refuse(request, context):
        return ServeResponse(status=Status(code=404, message="not here"))

    peer.on_serve = refuse
    caller, _ = await connected(field, peer)
    assert await caller.dispatch("users", "S", "M") == answer(
        404, "no collector found for namespace 'users'"
    )


@pytest.mark.parametrize("code", [500, 429, 503, 400])
async def test_a_peers_failure_is_the_answer_and_nobody_else_is_tried(field, code):
    """DSP-009, DSP-010"""
    peers = [await field.peer("a"), await field.peer("b")]
    status = Status(code=code, message="it ran")

    async def fail(request, context):
        return ServeResponse(status=status, executor_id="the executor")

    for peer in peers:
        peer.on_serve = fail
    caller, _ = await connected(field, *peers)
    assert await caller.dispatch("users", "S", "M") == DispatchResponse(
        status=status, handled_by_collector_id="the executor"
    )
    assert sum(len(peer.served) for peer in peers) == 1


async def test_a_failure_below_the_dispatcher_is_told_and_not_tried_again(field):
    """DSP-009, DSP-010"""
    peers = [await field.peer("a"), await field.peer("b")]

    async def fail(request, context):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "on the way out")

    for peer in peers:
        peer.on_serve = fail
    caller, _ = await connected(field, *peers)
    reply = await caller.dispatch("users", "S", "M")
    assert reply == answer(
        503,
        f"the call to collector '{reply.handled_by_collector_id}' failed: "
        "UNAVAILABLE: on the way out",
        reply.handled_by_collector_id,
    )
    assert sum(len(peer.served) for peer in peers) == 1


async def test_an_answer_without_a_status_is_a_failure(field):
    """WIR-003"""
    peer = await field.peer("east")

    async def mute(request, context):
        return ServeResponse(executor_id="east")

    peer.on_serve = mute
    caller, _ = await connected(field, peer)
    for target in ("", "east"):
        assert await caller.dispatch("users", "S", "M", target=target) == answer(
            500,
            "the call to collector 'east' failed: INTERNAL: it answered without a status",
            "east",
        )


async def test_calls_reach_all_peers_in_turn(field):
    """DSP-015"""
    peers = [await field.peer(name) for name in ("a", "b", "c")]
    caller, _ = await connected(field, *peers)
    for _ in range(9):
        await caller.dispatch("users", "S", "M")
    assert [len(peer.served) for peer in peers] == [3, 3, 3]


async def test_a_local_handler_that_the_validator_refuses_is_not_replaced(field):
    """DSP-016"""
    peer = await field.peer("east")
    caller, collector = await connected(field, peer, probe=("users",))
    reply = await caller.dispatch("users", PROBE, "Unregistered", "k")
    assert (reply.status.code, reply.handled_by_collector_id) == (404, "west")
    assert reply.status.message.startswith("service not registered in registry: ")
    assert peer.served == []
    assert collector.statistics().executions == {}


async def test_the_executing_peer_applies_its_own_validator(field):
    """DSP-014"""
    west = await field.collector("west", namespaces=("users",))
    east = await field.collector("east", namespaces=("users",), probe=("users",))
    await west.connect_to(east.address)
    caller = field.caller(west.address)
    reply = await caller.dispatch("users", PROBE, "Unregistered", "k", target="east")
    assert (reply.status.code, reply.handled_by_collector_id) == (404, "east")
    assert west.statistics().loopback_calls == 0
    assert east.statistics() == type(east.statistics())(
        rpcs={
            "/collector.CollectiveDispatcher/Connect": 1,
            "/collector.CollectiveDispatcher/Serve": 1,
            "/collector.CollectorRegistry/ValidateMethod": 1,
        },
        loopback_calls=1,
        executions={},
    )


async def test_a_served_call_takes_no_second_hop(field):
    """LOOP-008"""
    west, middle, east = [
        await field.collector(name, namespaces=("users",)) for name in ("west", "middle", "east")
    ]
    east.register_service("users", "S", "M", lambda value, _: "far")
    await west.connect_to(middle.address)
    await middle.connect_to(east.address)
    reply = await field.caller(west.address).dispatch("users", "S", "M")
    assert reply == answer(404, "no collector found for namespace 'users'")
    reply = await field.caller(middle.address).serve("users", "S", "M")
    assert reply.status.code == 404
    assert east.statistics().executions == {}


@pytest.mark.parametrize("target", ["", "east"])
@pytest.mark.parametrize(
    "payload",
    [
        Any(),
        Any(value=b"no type"),
        Any(type_url="type.googleapis.com/shop.Unknown", value=b"\xff\xff\xff"),
        Any(
            type_url="type.googleapis.com/google.protobuf.StringValue", value=b"\x0a\x01a\x0a\x01b"
        ),
    ],
)
async def test_a_payload_crosses_a_hop_byte_for_byte(field, target, payload):
    """WIR-006"""
    west = await field.collector("west", namespaces=("users",))
    east = await field.collector("east", namespaces=("users",), probe=("users",))
    await west.connect_to(east.address)
    reply = await field.caller(west.address).dispatch(
        "users", PROBE, "Echo", payload, target=target
    )
    assert reply == DispatchResponse(status=OK, output=payload, handled_by_collector_id="east")
    assert reply.HasField("output")


async def test_an_unset_input_arrives_unset(field):
    """SRV-012"""
    peer = await field.peer("east")
    caller, _ = await connected(field, peer)
    await caller.dispatcher.Dispatch(
        DispatchRequest(
            namespace="users",
            service=ServiceTypeRef(service_name="S"),
            method_name="M",
            routing_hints={"shard": "1"},
        )
    )
    assert not peer.served[0].HasField("input")


async def test_only_correlation_headers_cross_a_hop(field):
    peer = await field.peer("east")
    caller, _ = await connected(field, peer)
    correlation = {"traceparent": "00-a-b-01", "tracestate": "k=v", "x-correlation-id": "42"}
    secret = {"authorization": "Bearer x", "tenant": "t1"}
    await caller.dispatch("users", "S", "M", metadata=tuple({**correlation, **secret}.items()))
    received = peer.metadata[0]
    assert {key: received.get(key) for key in correlation} == correlation
    assert secret.keys() & received.keys() == set()


async def test_the_callers_deadline_crosses_a_hop(field):
    """FLT-002"""
    left: list[float] = []

    async def remember(request, context):
        left.append(context.time_remaining())
        return ServeResponse(status=OK)

    peer = await field.peer("east")
    peer.on_serve = remember
    caller, _ = await connected(field, peer, forward_limit=timedelta(seconds=60))
    await caller.dispatch("users", "S", "M", timeout=7)
    await caller.dispatch("users", "S", "M", target="east", timeout=7)
    await caller.dispatch("users", "S", "M")
    assert [5 < seconds < 8 for seconds in left] == [True, True, False]
    assert 55 < left[2] < 62


@pytest.mark.parametrize("target", ["", "east"])
async def test_a_silent_peer_is_bounded_without_a_deadline(field, brief, target):
    """FLT-006, FLT-003"""
    peers = [await field.peer("east"), await field.peer("north")]

    async def never(request, context):
        await asyncio.Event().wait()

    for peer in peers:
        peer.on_serve = never
    caller, _ = await connected(field, *peers, forward_limit=brief)
    async with asyncio.timeout(10):
        reply = await caller.dispatch("users", "S", "M", target=target)
    assert reply.status.code == 504
    assert sum(len(peer.served) for peer in peers) == 1


async def test_cancelling_reaches_the_remote_handler_and_nobody_else_is_tried(field):
    """FLT-001, FLT-002, FLT-003"""
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(request, context):
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    peers = [await field.peer("a"), await field.peer("b")]
    for peer in peers:
        peer.on_serve = wait
    caller, _ = await connected(field, *peers)
    call = caller.dispatcher.Dispatch(
        DispatchRequest(
            namespace="users", service=ServiceTypeRef(service_name="S"), method_name="M"
        )
    )
    await entered.wait()
    call.cancel()
    await cancelled.wait()
    for peer in peers:
        peer.on_serve = peer.answer_ok
    assert (await caller.dispatch("users", "S", "M", target="a")).status == OK
    assert sum(len(peer.served) for peer in peers) == 2


async def test_a_deadline_cancels_the_remote_handler(field):
    """FLT-002"""
    # Nothing is kept of the deadline, which therefore ends the call itself.
    routing = RoutingSettings(hop=timedelta(0))
    west = await field.collector("west", namespaces=("users",), routing=routing)
    east = await field.collector("east", namespaces=("users",), probe=("users",))
    await west.connect_to(east.address)
    minute = Any()
    minute.Pack(Duration(seconds=60))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await field.caller(west.address).dispatch("users", PROBE, "Sleep", minute, timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    caller = field.caller(east.address)

    async def was_cancelled() -> bool:
        reply = await caller.serve("users", PROBE, "Cancelled", "k")
        return reply.output.value == b"\x08\x01"

    await field.eventually(was_cancelled)


async def test_a_peer_that_dies_in_mid_call_is_a_failure_in_time(field):
    """FLT-005"""
    west = await field.collector("west", namespaces=("users",))
    east = field.unstarted("east", namespaces=("users",), probe=("users",))
    await east.start()
    await west.connect_to(east.address)
    minute = Any()
    minute.Pack(Duration(seconds=60))
    call = asyncio.ensure_future(
        field.caller(west.address).dispatch("users", PROBE, "Sleep", minute, target="east")
    )
    await field.until(lambda: bool(east.statistics().executions))
    await east.kill()
    async with asyncio.timeout(10):
        reply = await call
    assert reply.status.code >= 499
    assert reply.handled_by_collector_id == "east"


async def test_messages_up_to_the_limit_pass_and_larger_ones_harm_nothing(field):
    """FLT-004"""
    limit = 256 * 1024
    west = await field.collector("west", namespaces=("users",), max_message_bytes=limit)
    east = await field.collector(
        "east", namespaces=("users",), probe=("users",), max_message_bytes=limit
    )
    await west.connect_to(east.address)
    caller = field.caller(west.address)
    fits = Any(value=bytes(limit - 200))
    reply = await caller.dispatch("users", PROBE, "Echo", fits)
    assert (reply.status, reply.output) == (OK, fits)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.dispatch("users", PROBE, "Echo", Any(value=bytes(limit)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await caller.dispatch("users", PROBE, "Echo", fits)).status == OK


async def test_parallel_calls_get_their_own_answers(field, text):
    """CNC-001"""
    west = await field.collector("west", namespaces=("users",))
    east = await field.collector("east", namespaces=("users",), probe=("users",))
    await west.connect_to(east.address)
    caller = field.caller(west.address)
    replies = await asyncio.gather(
        *(caller.dispatch("users", PROBE, "Echo", str(number)) for number in range(100))
    )
    assert [reply.output for reply in replies] == [text(str(number)) for number in range(100)]
