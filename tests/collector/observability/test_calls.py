"""One line for each call (OPS-006), and the metrics: on real collectors."""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.error
import urllib.request

import grpc
import pytest

from collector_reference import HandlerError
from collector_reference.observability.calls import Call
from collector_reference.observability.values import CallLog, MetricsSettings
from collector_reference.settings import ValidatorKind
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ServeResponse

DISPATCH = "/collector.CollectiveDispatcher/Dispatch"
SERVE = "/collector.CollectiveDispatcher/Serve"
VALIDATE = "/collector.CollectorRegistry/ValidateMethod"


@pytest.fixture
def calls(caplog):
    """The calls that were logged so far."""
    caplog.set_level(logging.INFO, logger="collector_reference.calls")

    def read() -> list[Call]:
        return [
            record.call for record in caplog.records if record.name == "collector_reference.calls"
        ]

    return read


async def two(field, **settings):
    east = await field.collector("east", namespaces=("users",), probe=("users",), **settings)
    west = await field.collector("west", namespaces=("users",), **settings)
    await west.connect_to(east.address)
    return west, east


async def test_a_call_over_a_hop_is_one_line_at_each_collector_and_one_for_the_loopback(
    field, calls, caplog
):
    """OPS-006"""
    west, _east = await two(field, call_log=CallLog.TEXT)
    before = len(calls())
    reply = await field.caller(west.address).dispatch(
        "users", "conformance.Probe", "WhoAmI", metadata=(("x-correlation-id", "errand-7"),)
    )
    assert reply.handled_by_collector_id == "east"
    await field.until(lambda: len(calls()) == before + 3)
    told = calls()[before:]
    assert [(call.rpc, call.loopback, call.status) for call in told] == [
        (VALIDATE, True, "OK"),
        (SERVE, False, "OK"),
        (DISPATCH, False, "OK"),
    ]
    assert {call.correlation_id for call in told} == {"errand-7"}
    assert {call.handled_by for call in told} == {"east"}
    assert {(call.namespace, call.method) for call in told} == {("users", "WhoAmI")}
    assert all(call.seconds > 0 for call in told)
    line = caplog.messages[-1]
    assert line.startswith(
        f"rpc={DISPATCH} namespace=users service=conformance.Probe method=WhoAmI "
        "correlation_id=errand-7 handled_by=east status=OK layer=answer duration_ms="
    )


async def test_a_registry_that_is_asked_by_registering_is_asked_in_the_same_errand(field, calls):
    """OPS-006, S0"""
    west = await field.collector(
        "west", probe=("users",), call_log=CallLog.TEXT, validator=ValidatorKind.REGISTER_PROBE
    )
    before = len(calls())
    await field.caller(west.address).dispatch(
        "users", "conformance.Probe", "WhoAmI", metadata=(("x-correlation-id", "errand-7"),)
    )
    await field.until(lambda: len(calls()) == before + 2)
    assert [(call.rpc, call.loopback, call.correlation_id) for call in calls()[before:]] == [
        ("/collector.CollectorRegistry/RegisterService", True, "errand-7"),
        (DISPATCH, False, "errand-7"),
    ]


async def test_an_id_is_made_where_the_caller_gave_none_and_passed_on(field, calls):
    """OPS-006"""
    west, _east = await two(field, call_log=CallLog.TEXT)
    before = len(calls())
    reply = await field.caller(west.address).dispatch("users", "conformance.Probe", "Context")
    assert reply.status.code == 200
    await field.until(lambda: len(calls()) == before + 3)
    (made,) = {call.correlation_id for call in calls()[before:]}
    assert len(made) == 32
    assert made.encode() in reply.output.value


async def test_without_an_id_the_trace_is_the_id(field, calls):
    """OPS-006"""
    west, _east = await two(field, call_log=CallLog.TEXT)
    before = len(calls())
    trace = "0af7651916cd43dd8448eb211c80319c"
    await field.caller(west.address).dispatch(
        "users",
        "conformance.Probe",
        "WhoAmI",
        metadata=(("traceparent", f"00-{trace}-b7ad6b7169203331-01"),),
    )
    await field.until(lambda: len(calls()) == before + 3)
    assert {call.correlation_id for call in calls()[before:]} == {trace}


async def test_failures_of_every_layer_are_told(field, calls):
    west, east = await two(field, call_log=CallLog.JSON)
    caller = field.caller(west.address)
    before = len(calls())
    await caller.dispatch("users", "conformance.Probe", "Nope")
    with pytest.raises(grpc.aio.AioRpcError):
        await caller.channel.unary_unary("/no.Such/Method")(b"")
    with pytest.raises(grpc.aio.AioRpcError):
        await field.caller(east.address).serve(
            "users", "conformance.Probe", "Sleep", text_of(30), timeout=0.3
        )

    def ended():
        return {(call.rpc, call.layer, call.status) for call in calls()[before:]}

    expected = {
        (DISPATCH, "answer", "NOT_FOUND"),
        ("/no.Such/Method", "grpc", "UNIMPLEMENTED"),
    }
    await field.until(lambda: expected <= ended())
    await field.until(
        lambda: any(
            rpc == SERVE and layer == "grpc" and status in ("DEADLINE_EXCEEDED", "CANCELLED")
            for rpc, layer, status in ended()
        )
    )


def text_of(seconds):
    from google.protobuf.any_pb2 import Any
    from google.protobuf.duration_pb2 import Duration

    payload = Any()
    payload.Pack(Duration(seconds=seconds))
    return payload


async def test_json_lines_are_whole_whatever_a_caller_writes(field, calls, caplog):
    collector = await field.collector("west", namespaces=("users",), call_log=CallLog.JSON)
    before = len(calls())
    await field.caller(collector.address).dispatch('us"ers\nstatus=OK', "S" * 999, "M")
    await field.until(lambda: len(calls()) > before)
    line = json.loads(caplog.messages[-1])
    assert line["namespace"] == 'us"ers\nstatus=OK'
    assert (line["service"], line["status"]) == ("S" * 200, "NOT_FOUND")
    assert "\n" not in caplog.messages[-1]


async def test_text_lines_are_one_line_whatever_a_caller_writes(field, calls, caplog):
    collector = await field.collector("west", namespaces=("users",), call_log=CallLog.TEXT)
    before = len(calls())
    await field.caller(collector.address).dispatch("us ers\nstatus=OK", "S", "M")
    await field.until(lambda: len(calls()) > before)
    assert 'namespace="us ers\\nstatus=OK" service=S' in caplog.messages[-1]
    assert "\n" not in caplog.messages[-1]


async def test_nothing_is_logged_unless_asked_for(field, calls):
    collector = await field.collector("west", probe=("users",))
    await field.caller(collector.address).serve("users", "conformance.Probe", "WhoAmI")
    assert calls() == []


async def page(address: str) -> str:
    def fetch() -> str:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
            return answer.read().decode()

    return await asyncio.to_thread(fetch)


async def test_metrics_tell_calls_connections_validations_and_executions(field):
    west, east = await two(field, metrics=MetricsSettings())
    caller = field.caller(west.address)
    for _ in range(3):
        await caller.dispatch("users", "conformance.Probe", "WhoAmI")
    for name in ("A", "B"):
        with pytest.raises(grpc.aio.AioRpcError):
            await caller.channel.unary_unary(f"/no.Such/{name}")(b"")
    told = await page(west.metrics_address)
    assert f'collector_calls_total{{rpc="{DISPATCH}",status="OK"}} 3.0' in told
    assert 'collector_calls_total{rpc="unknown",status="UNIMPLEMENTED"} 2.0' in told
    assert f'collector_call_seconds_count{{rpc="{DISPATCH}"}} 3.0' in told
    assert 'collector_connections{state="established"} 1.0' in told
    assert 'collector_info{id="west"} 1.0' in told
    there = await page(east.metrics_address)
    assert f'collector_calls_total{{rpc="{SERVE}",status="OK"}} 3.0' in there
    assert 'collector_validations_total{answer="asked"} 1.0' in there
    assert 'collector_validations_total{answer="cached"} 2.0' in there
    executed = 'namespace="users",service="conformance.Probe"'
    assert f'collector_executions_total{{method="WhoAmI",{executed}}} 3.0' in there


async def test_statuses_without_a_name_share_one_line_of_the_metrics(field):
    """However many numbers a peer makes up, they fill no memory."""
    peer = await field.peer("east")
    numbers = iter(range(70_000, 80_000))

    async def answer(_request, _context):
        return ServeResponse(status=Status(code=next(numbers)))

    peer.on_serve = answer
    west = await field.collector("west", namespaces=("users",), metrics=MetricsSettings())
    await west.connect_to(peer.address)
    for _ in range(3):
        reply = await field.caller(west.address).dispatch("users", "S", "M")
        assert reply.status.code >= 70_000
    told = await page(west.metrics_address)
    assert f'collector_calls_total{{rpc="{DISPATCH}",status="unnamed"}} 3.0' in told
    assert 'status="7' not in told


async def test_the_page_of_metrics_is_gone_when_the_collector_stops(field):
    collector = await field.collector("west", metrics=MetricsSettings())
    address = collector.metrics_address
    assert "collector_info" in await page(address)
    await collector.stop()
    with pytest.raises(urllib.error.URLError):
        await page(address)


async def test_a_handler_that_fails_is_told_with_its_status(field, calls):
    def refuse(_value, _context):
        raise HandlerError("no")

    collector = await field.collector("west", namespaces=("users",), call_log=CallLog.TEXT)
    collector.register_service("users", "S", "M", refuse)
    before = len(calls())
    await field.caller(collector.address).serve("users", "S", "M")
    await field.until(lambda: len(calls()) == before + 2)
    assert [(call.rpc, call.status) for call in calls()[before:]] == [
        (VALIDATE, "OK"),
        (SERVE, "INTERNAL"),
    ]
