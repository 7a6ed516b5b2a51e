"""What is done about peers that are ill: breakers, retries, questions about health."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from collector_reference import (
    BreakerSettings,
    HealthCheckSettings,
    RetrySettings,
    RoutingSettings,
)
from collector_reference.dispatch.breaker import Phase
from collector_reference.dispatch.health_checks import HealthChecks
from collector_reference.wire import dispatcher_pb2_grpc
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ServeResponse

PROBE = "conformance.Probe"
DISPATCH = "/collector.CollectiveDispatcher/Dispatch"
OK = Status(code=Status.HTTP_OK, message="OK")
NEVER = timedelta(hours=1)
BRIEF = timedelta(milliseconds=200)


async def lost(request, context):
    """What the caller of a peer sees that dies in mid-call."""
    await context.abort(grpc.StatusCode.UNAVAILABLE, "lost")


async def hub(field, *peers, **routing):
    collector = await field.collector(
        "hub", namespaces=("users",), routing=RoutingSettings(**routing)
    )
    for peer in peers:
        await collector.connect_to(peer.address)
    return collector, field.caller(collector.address)


def breaker_of(collector, collector_id: str):
    return {each.collector_id: each.breaker for each in collector.connections()}[collector_id]


# Breakers


async def test_without_being_asked_for_there_are_no_breakers(field):
    peer = await field.peer("east")
    collector, caller = await hub(field, peer)
    peer.on_serve = lost
    for _ in range(10):
        assert (await caller.dispatch("users", "S", "M")).status.code == 503
    assert len(peer.served) == 10
    assert breaker_of(collector, "east") is None


async def test_failures_in_a_row_open_a_breaker_and_a_good_trial_closes_it(field):
    peer = await field.peer("east")
    breaker = BreakerSettings(failures=3, open_time=BRIEF)
    collector, caller = await hub(field, peer, breaker=breaker)
    peer.on_serve = lost
    for _ in range(3):
        assert (await caller.dispatch("users", "S", "M", target="east")).status.code == 503
    assert breaker_of(collector, "east").phase is Phase.OPEN
    reply = await caller.dispatch("users", "S", "M", target="east")
    assert (reply.status.code, reply.handled_by_collector_id) == (503, "east")
    assert len(peer.served) == 3
    # A trial that fails opens it again.
    await field.until(lambda: breaker_of(collector, "east").tried_in == timedelta(0))
    assert (await caller.dispatch("users", "S", "M", target="east")).status.code == 503
    assert (len(peer.served), breaker_of(collector, "east").phase) == (4, Phase.OPEN)
    peer.on_serve = peer.answer_ok

    async def closed() -> bool:
        await caller.dispatch("users", "S", "M", target="east")
        return breaker_of(collector, "east").phase is Phase.CLOSED

    await field.eventually(closed)
    assert len(peer.served) == 5
    assert (await caller.dispatch("users", "S", "M", target="east")).status == OK


async def test_an_open_breaker_sends_automatic_calls_to_others(field):
    ill, well = await field.peer("ill"), await field.peer("well")
    collector, caller = await hub(
        field, ill, well, breaker=BreakerSettings(failures=2, open_time=NEVER)
    )
    ill.on_serve = lost
    for _ in range(2):
        await caller.dispatch("users", "S", "M", target="ill")
    for _ in range(6):
        assert (await caller.dispatch("users", "S", "M")).handled_by_collector_id == "well"
    assert len(ill.served) == 2
    assert breaker_of(collector, "well").phase is Phase.CLOSED


@pytest.mark.parametrize("code", [404, 400, 403, 429, 500, 501])
async def test_answers_of_a_peer_that_is_well_never_open_a_breaker(field, code):
    peer = await field.peer("east")
    collector, caller = await hub(field, peer, breaker=BreakerSettings(failures=2, open_time=NEVER))

    async def answer(request, context):
        return ServeResponse(status=Status(code=code, message="no"))

    peer.on_serve = answer
    for _ in range(5):
        assert (await caller.dispatch("users", "S", "M", target="east")).status.code == code
    assert len(peer.served) == 5
    assert breaker_of(collector, "east").failures == 0


async def test_callers_in_a_hurry_never_open_a_breaker(field):
    peer = await field.peer("east")
    collector, caller = await hub(field, peer, breaker=BreakerSettings(failures=2, open_time=NEVER))

    async def wait(request, context):
        await asyncio.Event().wait()

    peer.on_serve = wait
    for _ in range(4):
        try:
            reply = await caller.dispatch("users", "S", "M", target="east", timeout=0.1)
            assert reply.status.code == 504
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
    peer.on_serve = peer.answer_ok
    assert (await caller.dispatch("users", "S", "M", target="east")).status == OK
    assert breaker_of(collector, "east").phase is Phase.CLOSED


async def test_a_peer_that_is_silent_for_the_own_limit_opens_a_breaker(field):
    peer = await field.peer("east")
    collector = await field.collector(
        "hub",
        namespaces=("users",),
        forward_limit=timedelta(milliseconds=500),
        routing=RoutingSettings(breaker=BreakerSettings(failures=2, open_time=NEVER)),
    )
    await collector.connect_to(peer.address)
    caller = field.caller(collector.address)

    async def wait(request, context):
        await asyncio.Event().wait()

    peer.on_serve = wait
    for _ in range(2):
        assert (await caller.dispatch("users", "S", "M", target="east")).status.code == 504
    assert breaker_of(collector, "east").phase is Phase.OPEN
    served = len(peer.served)
    assert (await caller.dispatch("users", "S", "M", target="east")).status.code == 503
    assert len(peer.served) == served


async def test_a_restarted_peer_is_called_again_at_once(field):
    """CON-014: the breaker does not keep it away."""
    east = field.unstarted("east", namespaces=("users",), probe=("users",))
    await east.start()
    collector, caller = await hub(field, east, breaker=BreakerSettings(failures=1, open_time=NEVER))
    await east.kill()

    async def is_open() -> bool:
        await caller.dispatch("users", PROBE, "WhoAmI", target="east")
        return breaker_of(collector, "east").phase is Phase.OPEN

    await field.eventually(is_open)
    await field.collector("east", listen=east.address, namespaces=("users",), probe=("users",))
    await field.until(lambda: breaker_of(collector, "east").phase is Phase.CLOSED)
    assert (await caller.dispatch("users", PROBE, "WhoAmI", target="east")).status == OK


# Retries


@pytest.mark.parametrize("target", ["", "east"])
async def test_a_call_that_ran_nowhere_is_tried_until_the_peer_is_back(field, target):
    east = field.unstarted("east", namespaces=("users",), probe=("users",))
    await east.start()
    retry = RetrySettings(
        attempts=10_000,
        first_pause=timedelta(milliseconds=10),
        longest_pause=timedelta(milliseconds=20),
    )
    collector, caller = await hub(field, east, retry=retry)
    await east.kill()
    await field.until(lambda: not collector.connections()[0].established)
    call = asyncio.ensure_future(
        caller.dispatch("users", PROBE, "Count", "k", target=target, timeout=30)
    )
    await field.until(lambda: DISPATCH in collector.statistics().rpcs)
    again = await field.collector(
        "east", listen=east.address, namespaces=("users",), probe=("users",)
    )
    reply = await call
    assert (reply.status, reply.handled_by_collector_id) == (OK, "east")
    assert again.statistics().executions[f"users/{PROBE}/Count"] == 1


@pytest.mark.parametrize("target", ["", "east"])
async def test_what_may_have_run_is_never_tried_again(field, target):
    """DSP-010"""
    peers = [await field.peer("east"), await field.peer("north")]
    for peer in peers:
        peer.on_serve = lost
    _, caller = await hub(field, *peers, retry=RetrySettings(attempts=5))
    assert (await caller.dispatch("users", "S", "M", target=target)).status.code == 503
    assert sum(len(peer.served) for peer in peers) == 1


async def test_peers_that_have_no_such_method_are_not_asked_again(field):
    peer = await field.peer("east")
    _, caller = await hub(field, peer, retry=RetrySettings(attempts=5, first_pause=NEVER))

    async def miss(request, context):
        return ServeResponse(status=Status(code=404, message="no"))

    peer.on_serve = miss
    assert (await caller.dispatch("users", "S", "M")).status.code == 404
    assert (await caller.dispatch("stock", "S", "M")).status.code == 404
    assert len(peer.served) == 1


@pytest.mark.parametrize(("target", "code"), [("", 404), ("east", 503)])
async def test_there_is_no_pause_that_the_deadline_has_no_time_for(field, target, code):
    east = field.unstarted("east", namespaces=("users",), probe=("users",))
    await east.start()
    retry = RetrySettings(attempts=5, first_pause=NEVER, longest_pause=NEVER)
    collector, caller = await hub(field, east, retry=retry)
    await east.kill()
    await field.until(lambda: not collector.connections()[0].established)
    reply = await caller.dispatch("users", PROBE, "WhoAmI", target=target, timeout=20)
    assert reply.status.code == code


# Budgets


@pytest.mark.parametrize("target", ["", "east"])
async def test_a_peers_failure_is_told_within_the_callers_deadline(field, target):
    """FLT-002: what is passed on is less than what the caller left."""
    east = await field.collector("east", namespaces=("users",), probe=("users",))
    _, caller = await hub(field, east, hop=timedelta(seconds=1))
    minute = Any()
    minute.Pack(Duration(seconds=60))
    reply = await caller.dispatch("users", PROBE, "Sleep", minute, target=target, timeout=2.5)
    assert reply.status.code == 504
    assert reply.handled_by_collector_id == "east"


# Health


class Answering(health_pb2_grpc.HealthServicer):
    """A health service that answers as it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = health_pb2.HealthCheckResponse.SERVING
        self.silent = False

    async def Check(self, request, context):
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        return health_pb2.HealthCheckResponse(status=self.status)


async def with_health(field, collector_id: str, servicer):
    """Returns a peer that the test plays, with a health service."""
    peer = type(await field.peer("unused"))(collector_id)
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    dispatcher_pb2_grpc.add_CollectiveDispatcherServicer_to_server(peer, server)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    peer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    field._stack.push_async_callback(server.stop, None)
    return peer


CHECKS = HealthCheckSettings(interval=timedelta(milliseconds=50), limit=timedelta(milliseconds=500))


def serving(collector, collector_id: str) -> bool:
    return {each.collector_id: each.serving for each in collector.connections()}[collector_id]


async def test_a_peer_that_does_not_serve_gets_no_automatic_calls(field):
    servicer = health_aio.HealthServicer()
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    peer, other = await with_health(field, "east", servicer), await field.peer("other")
    collector, caller = await hub(field, peer, other, health_check=CHECKS)
    await servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    await field.until(lambda: not serving(collector, "east"))
    for _ in range(4):
        assert (await caller.dispatch("users", "S", "M")).handled_by_collector_id == "other"
    # Who names it gets it.
    reply = await caller.dispatch("users", "S", "M", target="east")
    assert reply.handled_by_collector_id == "east"
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    await field.until(lambda: serving(collector, "east"))
    replies = [await caller.dispatch("users", "S", "M") for _ in range(4)]
    assert {reply.handled_by_collector_id for reply in replies} == {"east", "other"}


async def test_a_silent_peer_does_not_serve_until_it_speaks_again(field):
    servicer = Answering()
    peer = await with_health(field, "east", servicer)
    collector, caller = await hub(field, peer, health_check=CHECKS)
    servicer.silent = True
    await field.until(lambda: not serving(collector, "east"))
    assert (await caller.dispatch("users", "S", "M")).status.code == 404
    servicer.silent = False
    await field.until(lambda: serving(collector, "east"))
    assert (await caller.dispatch("users", "S", "M")).status == OK


async def test_a_collector_that_stops_gets_no_new_calls(field):
    """OPS-003"""
    east = field.unstarted(
        "east", namespaces=("users",), probe=("users",), refusal_window=timedelta(seconds=30)
    )
    await east.start()
    collector, caller = await hub(field, east, health_check=CHECKS)
    stopping = asyncio.ensure_future(east.stop(timedelta(seconds=35)))
    await field.until(lambda: not serving(collector, "east"))
    assert (await caller.dispatch("users", PROBE, "WhoAmI")).status.code == 404
    await east.kill()
    await stopping


async def test_a_peer_without_a_health_service_serves(field):
    peer = await field.peer("east")
    collector, _ = await hub(field, peer)
    entry = collector._connections.by_id("east")
    checks = HealthChecks(CHECKS, (entry,), back=lambda _peer: None)
    entry.serving = False
    await checks.check(entry)
    assert entry.serving


async def test_nobody_is_asked_where_that_is_not_wanted(field):
    servicer = Answering()
    peer = await with_health(field, "east", servicer)
    _, caller = await hub(field, peer)
    await caller.dispatch("users", "S", "M")
    assert servicer.asked == 0
    assert "HealthChecks" not in "".join(map(repr, asyncio.all_tasks()))


async def test_a_lost_peer_that_asked_for_the_connection_is_connected_to_again(field):
    peer = await field.peer("east")
    collector, caller = await hub(field, health_check=CHECKS)
    east = field.unstarted("east", namespaces=("users",), probe=("users",))
    await east.start()
    await caller.connect("east", east.address, ("users",))
    await field.until(lambda: collector.connections()[0].established)
    await east.kill()
    await field.until(lambda: not collector.connections()[0].established)
    await field.collector("east", listen=east.address, namespaces=("users",), probe=("users",))
    # No call is made: the questions do it.
    await field.until(lambda: collector.connections()[0].established)
    assert peer.served == []
