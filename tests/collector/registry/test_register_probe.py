"""The register probe: how a registry without ValidateMethod is asked, and what that does to it."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest

from collector_reference import CollectorSettings
from collector_reference.settings import ValidatorKind
from collector_reference.wire import registry_pb2_grpc
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.registry_pb2 import LookupServiceResponse, RegisterServiceResponse

PROBE = "conformance.Probe"
REGISTER_PROBE = ValidatorKind.REGISTER_PROBE


class OldRegistry(registry_pb2_grpc.CollectorRegistryServicer):
    """As the registries of S0: it has no ValidateMethod."""

    def __init__(self) -> None:
        self.services: dict[tuple[str, str], list[str]] = {}

    async def RegisterService(self, request, context):
        key = (request.namespace, request.service_descriptor.name)
        if key in self.services:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "it exists")
        self.services[key] = [method.name for method in request.service_descriptor.method]
        return RegisterServiceResponse(status=Status(message="OK"))

    async def LookupService(self, request, context):
        return LookupServiceResponse(status=Status(code=Status.NOT_FOUND))


async def test_a_registry_without_validate_method_can_be_asked_by_registering(field):
    """S0, VAL-003: what exists is valid, and what is asked about in vain exists afterwards."""
    registry = OldRegistry()
    collector = await field.collector(
        probe=("users",),
        registry_address=await field.registry(registry),
        validator=REGISTER_PROBE,
        validation_cache=timedelta(0),
    )
    caller = field.caller(collector.address)
    assert (await caller.serve("users", PROBE, "WhoAmI")).status.code == 200
    assert ("users", "Unknown") not in registry.services
    first = await caller.serve("users", "Unknown", "Call")
    assert first.status.code == 404
    assert first.status.message.endswith(
        "service 'Unknown' was not registered in namespace 'users' before it was asked about"
    )
    assert registry.services["users", "Unknown"] == []
    second = await caller.serve("users", "Unknown", "Call")
    assert second.status.message == "method 'Unknown.Call' not found in namespace 'users'"


async def test_over_the_loopback_it_is_a_real_call_too(field):
    """LOOP-001, S0"""
    collector = await field.collector(probe=("users",), validator=REGISTER_PROBE)
    caller = field.caller(collector.address)
    assert (await caller.serve("users", PROBE, "WhoAmI")).status.code == 200
    counted = collector.statistics().rpcs
    assert counted["/collector.CollectorRegistry/RegisterService"] == 1
    assert "/collector.CollectorRegistry/ValidateMethod" not in counted


async def test_a_registry_that_cannot_be_asked_is_reported_as_that(field):
    """VAL-008"""

    class Broken(OldRegistry):
        broken = False

        async def RegisterService(self, request, context):
            if self.broken:
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")
            return await super().RegisterService(request, context)

    registry = Broken()
    collector = await field.collector(
        probe=("users",),
        registry_address=await field.registry(registry),
        validator=REGISTER_PROBE,
    )
    registry.broken = True
    reply = await field.caller(collector.address).serve("users", PROBE, "WhoAmI")
    assert (reply.status.code, reply.status.message) == (
        503,
        "the registry cannot be asked: PERMISSION_DENIED: not you",
    )


@pytest.mark.parametrize(("text", "kind"), [("", "validate"), ("register-probe", "register-probe")])
def test_the_environment_names_it(text, kind):
    settings = CollectorSettings.from_environment({"COLLECTOR_VALIDATOR": text})
    assert settings.validator is ValidatorKind(kind)
