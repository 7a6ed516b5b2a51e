"""The registry that the dispatcher asks: its own or a remote one, healthy or not."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from collector_reference import Collector, CollectorSettings, MemoryStore, NotReady
from collector_reference.wire import registry_pb2_grpc
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ServeResponse
from collector_reference.wire.registry_pb2 import (
    LookupServiceResponse,
    RegisterServiceRequest,
    ValidateMethodRequest,
    ValidateMethodResponse,
)

PROBE = "conformance.Probe"


class Played(registry_pb2_grpc.CollectorRegistryServicer):
    """A remote registry that knows everything while it is not broken."""

    def __init__(self) -> None:
        self.broken = False
        self.asked: list[ValidateMethodRequest] = []
        self.registered: list[RegisterServiceRequest] = []
        self.on_register = grpc.StatusCode.ALREADY_EXISTS

    async def LookupService(self, request, context):
        await self._fail(context)
        return LookupServiceResponse(status=Status(code=Status.NOT_FOUND))

    async def ValidateMethod(self, request, context):
        await self._fail(context)
        self.asked.append(request)
        return ValidateMethodResponse(status=Status(code=Status.OK), is_valid=True)

    async def RegisterService(self, request, context):
        self.registered.append(request)
        await context.abort(self.on_register, "as the test wants")

    async def _fail(self, context) -> None:
        if self.broken:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "broken")


async def test_a_remote_registry_answers_like_the_own_one(field):
    """LOOP-002"""
    registry = await field.collector("registry")
    own = await field.collector("west", probe=("users",))
    remote = await field.collector("west", probe=("users",), registry_address=registry.address)
    for method in ("WhoAmI", "Unregistered", "Declared", "Nope", "WhoAmI"):
        answers = [
            await field.caller(collector.address).serve("users", PROBE, method, "k")
            for collector in (own, remote)
        ]
        assert answers[0] == answers[1]
    assert own.statistics().rpcs["/collector.CollectorRegistry/ValidateMethod"] == 4
    assert "/collector.CollectorRegistry/ValidateMethod" not in remote.statistics().rpcs
    assert remote.statistics().loopback_calls == own.statistics().loopback_calls == 4


@pytest.mark.parametrize("code", [grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.UNIMPLEMENTED])
async def test_a_remote_registry_is_told_what_the_collector_serves(field, code):
    registry = Played()
    registry.on_register = code
    collector = field.unstarted(probe=("users",), registry_address=await field.registry(registry))
    collector.register_service("orders", "S", "M", lambda value, _: value)
    await field.running(collector)
    assert {
        (request.namespace, request.service_descriptor.name) for request in registry.registered
    } == {("users", PROBE), ("orders", "S")}
    reply = await field.caller(collector.address).serve("orders", "S", "M", "x")
    assert reply.status.code == 200
    asked = [request for request in registry.asked if request.namespace != "system"]
    assert asked == [ValidateMethodRequest(namespace="orders", service_name="S", method_name="M")]


async def test_a_registration_at_the_remote_registry_takes_effect_within_the_cache_life(field):
    """VAL-010"""
    registry = await field.collector("registry")
    collector = await field.collector(
        "west",
        registry_address=registry.address,
        validation_cache=timedelta(milliseconds=100),
    )
    collector.register_service("users", "S", "M", lambda value, _: "ran", declare=False)
    caller = field.caller(collector.address)
    assert (await caller.serve("users", "S", "M")).status.code == 404
    await field.caller(registry.address).register("users", "S", "M")

    async def it_runs() -> bool:
        return (await caller.serve("users", "S", "M")).status.code == 200

    await field.eventually(it_runs)


async def test_a_registry_that_cannot_be_asked_is_found_at_readiness(field, closed_port, brief):
    """LOOP-003"""
    address = closed_port["address"]
    collector = field.unstarted(registry_address=address, ready_limit=brief)
    with pytest.raises(NotReady) as caught:
        await collector.start()
    assert caught.value.registry == address
    assert str(caught.value).startswith(
        f"not ready: the registry at {address} could not be asked within 0.3 s: UNAVAILABLE"
    )
    with pytest.raises(grpc.aio.AioRpcError):
        await field.caller(collector.address).validate("a", "b", "c")


async def test_an_own_registry_that_does_not_know_itself_is_found_at_readiness(brief):
    """LOOP-003"""

    class Forgetful(MemoryStore):
        def service(self, namespace, service_name):
            return None

    collector = Collector(
        CollectorSettings(collector_id="west", ready_limit=brief, validation=False),
        store=Forgetful(),
    )
    with pytest.raises(NotReady, match="does not know its own services"):
        await collector.start()


async def test_without_validation_the_remote_registry_is_not_needed(field, closed_port):
    collector = await field.collector(
        probe=("users",), validation=False, registry_address=closed_port["address"]
    )
    reply = await field.caller(collector.address).serve("users", PROBE, "WhoAmI")
    assert reply.status.code == 200


async def test_health_follows_a_remote_registry_that_breaks_and_mends(field):
    """OPS-001, VAL-008"""
    registry = Played()
    collector = await field.collector(
        probe=("users",),
        registry_address=await field.registry(registry),
        validation_cache=timedelta(0),
    )
    caller = field.caller(collector.address)
    watch = health_pb2_grpc.HealthStub(caller.channel).Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    registry.broken = True
    assert await caller.serve("users", PROBE, "WhoAmI") == ServeResponse(
        status=Status(code=503, message="the registry cannot be asked: UNAVAILABLE: broken"),
        executor_id="west",
    )
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    registry.broken = False
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    assert (await caller.serve("users", PROBE, "WhoAmI")).status.code == 200
    watch.cancel()


async def test_health_notices_a_broken_remote_registry_without_any_call(field):
    """OPS-001"""
    registry = Played()
    collector = await field.collector(registry_address=await field.registry(registry))
    stub = health_pb2_grpc.HealthStub(field.caller(collector.address).channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    registry.broken = True
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watch.cancel()


async def test_a_store_that_fails_is_not_a_miss(field):
    """VAL-008, SEC-004"""

    class Breakable(MemoryStore):
        broken = False

        def has_method(self, namespace, service_name, method):
            if self.broken and namespace == "users":
                raise OSError("/secret/registry.db is gone")
            return super().has_method(namespace, service_name, method)

    store = Breakable()
    collector = await field.running(
        Collector(CollectorSettings(collector_id="west", probe=("users",)), store=store)
    )
    store.broken = True
    reply = await field.caller(collector.address).serve("users", PROBE, "WhoAmI")
    assert reply == ServeResponse(
        status=Status(
            code=503,
            message="the registry cannot be asked: INTERNAL: the registry's store failed",
        ),
        executor_id="west",
    )


async def test_a_callers_short_deadline_does_not_make_the_registry_unhealthy(field):
    collector = await field.collector(probe=("users",), validation_cache=timedelta(0))
    caller = field.caller(collector.address)
    await asyncio.gather(
        *(caller.serve("users", PROBE, "WhoAmI", timeout=0.001) for _ in range(20)),
        return_exceptions=True,
    )
    reply = await health_pb2_grpc.HealthStub(caller.channel).Check(health_pb2.HealthCheckRequest())
    assert reply.status == health_pb2.HealthCheckResponse.SERVING
