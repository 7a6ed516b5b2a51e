from __future__ import annotations

import asyncio

import grpc
import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

from collector_reference import Collector, CollectorSettings, MemoryStore
from collector_reference.errors import StoreUnavailable
from collector_reference.registry.store import service_record
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.registry_pb2 import (
    ListServicesRequest,
    ListServicesResponse,
    LookupServiceRequest,
    LookupServiceResponse,
    RegisterProtoRequest,
    RegisterProtoResponse,
    RegisterServiceRequest,
    RegisterServiceResponse,
    ValidateMethodResponse,
)

OK = Status(code=Status.OK, message="OK")


async def test_a_registration_answers_with_its_id_and_its_methods_in_order(field):
    """REG-001"""
    caller = field.caller((await field.collector()).address)
    assert await caller.register("ns", "pkg.S", "B", "A") == RegisterServiceResponse(
        status=OK, service_id="ns/pkg.S", registered_methods=["B", "A"]
    )


@pytest.mark.parametrize(
    ("request_", "details"),
    [
        (RegisterServiceRequest(), "namespace is required"),
        (RegisterServiceRequest(namespace="ns"), "service_descriptor is required"),
        (
            RegisterServiceRequest(namespace="ns", service_descriptor=ServiceDescriptorProto()),
            "service name is required",
        ),
    ],
)
async def test_an_incomplete_service_is_an_invalid_argument(field, request_, details):
    """REG-002, WIR-004"""
    caller = field.caller((await field.collector()).address)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.registry.RegisterService(request_)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        details,
    )


@pytest.mark.parametrize(
    ("request_", "details"),
    [
        (RegisterProtoRequest(), "namespace is required"),
        (RegisterProtoRequest(namespace="ns"), "file_descriptor is required"),
        (
            RegisterProtoRequest(namespace="ns", file_descriptor=FileDescriptorProto()),
            "file name is required",
        ),
    ],
)
async def test_an_incomplete_proto_is_an_invalid_argument(field, request_, details):
    """REG-002"""
    caller = field.caller((await field.collector()).address)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.registry.RegisterProto(request_)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        details,
    )


async def test_a_duplicate_exists_already_and_the_first_record_stays(field):
    """REG-003, REG-005, REG-008"""
    caller = field.caller((await field.collector()).address)
    first = ServiceDescriptorProto(name="S")
    first.method.add(name="Watch", input_type=".a.B", server_streaming=True)
    await caller.registry.RegisterService(
        RegisterServiceRequest(namespace="ns", service_descriptor=first)
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.register("ns", "S", "Other")
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    found = await caller.registry.LookupService(
        LookupServiceRequest(namespace="ns", service_name="S")
    )
    assert found.status == OK
    assert found.service.service_descriptor == first
    assert (found.service.id, found.service.namespace, found.service.service_name) == (
        "ns/S",
        "ns",
        "S",
    )
    assert list(found.service.method_names) == ["Watch"]
    assert found.service.metadata.created_at == found.service.metadata.updated_at
    assert found.service.metadata.created_at.seconds > 0


@pytest.mark.parametrize("letter", ["n", "\u2603"])
async def test_what_is_said_of_a_long_name_arrives(field, letter):
    """gRPC sends it in a header, and leaves out one that is too long."""
    caller = field.caller((await field.collector()).address)
    name = letter * 20_000
    await caller.register("users", name)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.register("users", name)
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert caught.value.details().startswith(f"service 'users/{letter * 100}")
    assert caught.value.details().endswith("...")


async def test_a_proto_answers_with_its_top_level_messages_and_exists_once(field):
    """REG-007"""
    caller = field.caller((await field.collector()).address)
    file = FileDescriptorProto(
        name="shop.proto",
        message_type=[
            DescriptorProto(name="B", nested_type=[DescriptorProto(name="Inner")]),
            DescriptorProto(name="A"),
        ],
    )
    request = RegisterProtoRequest(namespace="ns", file_descriptor=file)
    assert await caller.registry.RegisterProto(request) == RegisterProtoResponse(
        status=OK, proto_id="ns/shop.proto", registered_messages=["B", "A"]
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.registry.RegisterProto(request)
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_a_miss_is_told_in_band_and_holds_no_service(field):
    """REG-008, WIR-004, WIR-010"""
    caller = field.caller((await field.collector()).address)
    assert await caller.registry.LookupService(
        LookupServiceRequest(namespace="ns", service_name="S")
    ) == LookupServiceResponse(
        status=Status(code=Status.NOT_FOUND, message="service 'ns/S' not found")
    )


async def test_a_list_holds_exactly_the_services_of_its_namespace(field):
    """REG-010, ISO-003"""
    caller = field.caller((await field.collector()).address)
    await caller.register("a", "One")
    await caller.register("b", "Two")
    await caller.register("a", "Three")
    listed = await caller.registry.ListServices(ListServicesRequest(namespace="a"))
    assert listed.status == OK
    assert [service.id for service in listed.services] == ["a/One", "a/Three"]
    everything = await caller.registry.ListServices(ListServicesRequest())
    assert {"a/One", "b/Two", "a/Three", "system/collector.CollectorRegistry"} <= {
        service.id for service in everything.services
    }
    nothing = await caller.registry.ListServices(ListServicesRequest(namespace="A"))
    assert nothing == ListServicesResponse(status=OK)


async def test_of_concurrent_identical_registrations_one_succeeds(field):
    """REG-014"""
    caller = field.caller((await field.collector()).address)
    outcomes = await asyncio.gather(
        *(caller.register("ns", "S", "A") for _ in range(20)), return_exceptions=True
    )
    codes = [
        outcome.code().name if isinstance(outcome, grpc.aio.AioRpcError) else "OK"
        for outcome in outcomes
    ]
    assert sorted(codes) == sorted(["OK", *["ALREADY_EXISTS"] * 19])


async def test_validation_answers_for_the_method_and_changes_nothing(field):
    """VAL-001, VAL-002, VAL-003, VAL-009"""
    caller = field.caller((await field.collector()).address)
    await caller.register("ns", "S", "A")
    await caller.register("ns", "Bare")
    valid = ValidateMethodResponse(
        status=OK, is_valid=True, message="method 'S.A' is registered in namespace 'ns'"
    )

    def invalid(message: str) -> ValidateMethodResponse:
        return ValidateMethodResponse(
            status=Status(code=Status.NOT_FOUND, message=message), message=message
        )

    no_service = "service '{}' is not registered in namespace '{}'"
    no_method = "service '{}' in namespace '{}' has no method '{}'"
    for _ in range(2):
        assert await caller.validate("ns", "S", "A") == valid
        assert await caller.validate("ns", "S", "B") == invalid(no_method.format("S", "ns", "B"))
        assert await caller.validate("ns", "S", "") == invalid(no_method.format("S", "ns", ""))
        assert await caller.validate("ns", "Bare", "A") == invalid(
            no_method.format("Bare", "ns", "A")
        )
        assert await caller.validate("ns", "T", "A") == invalid(no_service.format("T", "ns"))
        assert await caller.validate("ns", "", "A") == invalid(no_service.format("", "ns"))
        assert await caller.validate("other", "S", "A") == invalid(no_service.format("S", "other"))


@pytest.mark.parametrize("validation", [True, False])
async def test_nobody_registers_into_the_system_namespace(field, validation):
    collector = await field.collector(system_namespace="own", validation=validation)
    caller = field.caller(collector.address)
    with pytest.raises(grpc.aio.AioRpcError) as service:
        await caller.register("own", "conformance.Port", "Unregistered")
    with pytest.raises(grpc.aio.AioRpcError) as proto:
        await caller.registry.RegisterProto(
            RegisterProtoRequest(
                namespace="own", file_descriptor=FileDescriptorProto(name="a.proto")
            )
        )
    assert {service.value.code(), proto.value.code()} == {grpc.StatusCode.PERMISSION_DENIED}
    await caller.register("system", "S")


async def test_a_broken_store_is_an_internal_error_without_its_text(field):
    """SEC-004"""

    class BrokenStore(MemoryStore):
        async def add_service(self, record):
            raise OSError("/secret/registry.db: disk full")

    collector = await field.running(
        Collector(CollectorSettings(collector_id="west"), store=BrokenStore())
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await field.caller(collector.address).register("ns", "S")
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.INTERNAL,
        "the registry's store failed",
    )


async def test_a_store_that_is_away_is_unavailable_and_keeps_its_text(field):
    """SEC-004"""

    class AwayStore(MemoryStore):
        async def add_service(self, record):
            raise StoreUnavailable("/secret/registry.db is locked")

    collector = await field.running(
        Collector(CollectorSettings(collector_id="west"), store=AwayStore())
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await field.caller(collector.address).register("ns", "S")
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.UNAVAILABLE,
        "the registry's store is unavailable",
    )


def filled(count: int) -> MemoryStore:
    store = MemoryStore()
    for number in range(count):
        descriptor = ServiceDescriptorProto(name=f"Service{number:05}")
        descriptor.method.add(name="Call", input_type=".some.package.Request")
        store.declare(service_record("many", descriptor))
    return store


async def test_beside_ten_thousand_services_a_small_namespace_lists_whole(field):
    """REG-011"""
    store = filled(10_001)
    collector = await field.running(Collector(CollectorSettings(collector_id="west"), store=store))
    caller = field.caller(collector.address)
    await caller.register("few", "One", "A")
    await caller.register("few", "Two", "A")
    few = await caller.registry.ListServices(ListServicesRequest(namespace="few"))
    assert few.status == OK
    assert [service.id for service in few.services] == ["few/One", "few/Two"]
    many = await caller.registry.ListServices(ListServicesRequest(namespace="many"))
    assert many.status == OK
    assert [service.service_name for service in many.services] == [
        f"Service{number:05}" for number in range(10_001)
    ]


async def test_a_list_of_fifty_thousand_is_cut_at_the_message_limit_and_says_so(field):
    """REG-012"""
    collector = await field.running(
        Collector(CollectorSettings(collector_id="west"), store=filled(50_000))
    )
    caller = field.caller(collector.address)
    listed = await caller.registry.ListServices(ListServicesRequest(namespace="many"))
    assert 3 * 1024 * 1024 < listed.ByteSize() <= 4 * 1024 * 1024
    assert len(listed.services) + int(listed.status.details["truncated"]) == 50_000
    assert listed.services[0].service_name == "Service00000"
    assert (await caller.validate("many", "Service49999", "Call")).is_valid


async def test_a_service_that_fits_into_no_list_keeps_no_other_out_of_it(field):
    """REG-011"""
    store = MemoryStore()
    for name in ("Before", "Huge", "After"):
        descriptor = ServiceDescriptorProto(name=name)
        if name == "Huge":
            descriptor.method.add(name="M" * 3_000)
        store.declare(service_record("ns", descriptor))
    collector = await field.running(
        Collector(CollectorSettings(collector_id="west", max_message_bytes=4_096), store=store)
    )
    listed = await field.caller(collector.address).registry.ListServices(
        ListServicesRequest(namespace="ns")
    )
    assert [service.service_name for service in listed.services] == ["Before", "After"]
    assert dict(listed.status.details) == {"truncated": "1"}
