"""The ongoing look at every service on the port (S0, OPS-001)."""

from __future__ import annotations

from datetime import timedelta

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from collector_reference import AdminAccess, Collector, CollectorSettings
from collector_reference.loopback_health import LoopbackHealth

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
OFTEN = timedelta(milliseconds=20)
DISPATCHER = "collector.CollectiveDispatcher"
REFLECTION = "grpc.reflection.v1.ServerReflection"


class Broken(grpc.aio.ServerInterceptor):
    """Makes a service fail, as bad wiring does."""

    def __init__(self) -> None:
        self.service = ""

    async def intercept_service(self, continuation, details):
        if details.method.startswith(f"/{self.service}/"):

            async def fail(_request, context):
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not wired")

            return grpc.stream_stream_rpc_method_handler(fail)
        return await continuation(details)


@pytest.mark.parametrize(("service", "whole"), [(DISPATCHER, NOT_SERVING), (REFLECTION, SERVING)])
async def test_a_service_that_cannot_be_called_is_not_serving_until_it_can_be(
    field, service, whole
):
    broken = Broken()
    collector = Collector(
        CollectorSettings(collector_id="west", health_interval=OFTEN, probe=("users",)),
        interceptors=(broken,),
    )
    await field.running(collector)
    stub = health_pb2_grpc.HealthStub(field.caller(collector.address).channel)

    async def status(name):
        return (await stub.Check(health_pb2.HealthCheckRequest(service=name))).status

    async def is_told(expected):
        return await status(service) == expected

    assert await status(service) == SERVING
    broken.service = service
    await field.eventually(lambda: is_told(NOT_SERVING))
    assert await status("") == whole
    assert await status("collector.CollectorRegistry") == SERVING
    broken.service = ""
    await field.eventually(lambda: is_told(SERVING))
    assert await status("") == SERVING


async def test_looks_find_every_service_and_are_not_counted(field):
    collector = await field.collector("west", probe=("users",), admin=AdminAccess.LOCAL)
    looks = collector._wiring.looks()
    assert isinstance(looks, LoopbackHealth)
    before = collector.statistics()
    assert await looks.look() == frozenset()
    assert collector.statistics() == before


async def test_looks_are_no_lines_of_the_log(field, caplog):
    from collector_reference.observability.values import CallLog

    caplog.set_level("INFO", logger="collector_reference.calls")
    collector = await field.collector("west", call_log=CallLog.TEXT)
    before = len(caplog.records)
    assert await collector._wiring.looks().look() == frozenset()
    assert len(caplog.records) == before
