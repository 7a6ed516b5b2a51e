"""Every store keeps the same promises."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, ServiceDescriptorProto

from collector_reference import AlreadyRegistered, InvalidRecord, MemoryStore
from collector_reference.registry.store import extended_record, proto_record, service_record


def descriptor(name: str, *methods: str) -> ServiceDescriptorProto:
    message = ServiceDescriptorProto(name=name)
    for method in methods:
        message.method.add(name=method)
    return message


@pytest.fixture(params=[MemoryStore])
def store(request):
    return request.param()


async def test_a_record_is_found_under_its_exact_pair(store):
    """REG-004, REG-009, REG-013"""
    pairs = [("a/b", "c"), ("a", "b/c"), ("a", "c"), ("A", "c"), ("a", "c "), ("a", "caf\u00e9")]
    for namespace, name in pairs:
        await store.add_service(service_record(namespace, descriptor(name, "M")))
    assert [
        (record.namespace, record.service_name)
        for record in (store.service(*pair) for pair in pairs)
    ] == pairs
    assert store.service("a", "cafe\u0301") is None
    assert store.service("b", "c") is None


async def test_a_taken_key_keeps_its_first_record(store):
    """REG-003"""
    first = service_record("ns", descriptor("S", "A"))
    await store.add_service(first)
    generation = store.generation
    with pytest.raises(AlreadyRegistered, match="service 'ns/S' is already registered"):
        await store.add_service(service_record("ns", descriptor("S", "B")))
    assert store.service("ns", "S") is first
    assert store.generation == generation


async def test_one_of_many_concurrent_registrations_succeeds(store):
    """REG-014"""
    outcomes = await asyncio.gather(
        *(store.add_service(service_record("ns", descriptor("S", "A"))) for _ in range(20)),
        return_exceptions=True,
    )
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, AlreadyRegistered) for outcome in outcomes) == 19


async def test_methods_are_those_of_the_record(store):
    await store.add_service(service_record("ns", descriptor("S", "A", "B")))
    await store.add_service(service_record("ns", descriptor("Empty")))
    assert store.has_method("ns", "S", "A")
    assert not store.has_method("ns", "S", "a")
    assert not store.has_method("ns", "S", "")
    assert not store.has_method("ns", "Empty", "A")
    assert not store.has_method("other", "S", "A")


async def test_a_list_is_whole_exact_and_in_order(store):
    """REG-010, REG-011"""
    for number in range(10_050):
        await store.add_service(service_record("many", descriptor(f"S{number}")))
    await store.add_service(service_record("few", descriptor("Only")))
    assert [record.service_name for record in store.services("few")] == ["Only"]
    assert store.services("none") == []
    assert len(store.services(None)) == 10_051
    assert [record.service_name for record in store.services("many")][:2] == ["S0", "S1"]


async def test_a_proto_is_stored_once(store):
    record = proto_record("ns", FileDescriptorProto(name="a.proto"), [])
    await store.add_proto(record)
    with pytest.raises(AlreadyRegistered, match=r"proto 'ns/a\.proto' is already registered"):
        await store.add_proto(proto_record("ns", FileDescriptorProto(name="a.proto"), []))
    assert store.proto("ns", "a.proto") is record
    assert store.proto("ns", "b.proto") is None


async def test_every_change_to_the_services_advances_the_generation(store):
    seen = [store.generation]
    await store.add_service(service_record("ns", descriptor("S")))
    seen.append(store.generation)
    checkpoint = store.checkpoint()
    store.declare(service_record("ns", descriptor("T")))
    seen.append(store.generation)
    store.restore(checkpoint)
    seen.append(store.generation)
    assert seen == sorted(set(seen))


async def test_restoring_brings_back_exactly_the_content_of_the_checkpoint(store):
    await store.add_service(service_record("ns", descriptor("Kept", "A")))
    await store.add_proto(proto_record("ns", FileDescriptorProto(name="kept.proto"), []))
    checkpoint = store.checkpoint()
    await store.add_service(service_record("ns", descriptor("Later")))
    await store.add_proto(proto_record("ns", FileDescriptorProto(name="later.proto"), []))
    store.declare(extended_record(store.service("ns", "Kept"), ["B"]))
    store.restore(checkpoint)
    assert [record.service_name for record in store.services(None)] == ["Kept"]
    assert store.service("ns", "Kept").methods == {"A"}
    assert store.proto("ns", "later.proto") is None
    assert store.proto("ns", "kept.proto") is not None


def test_an_extended_record_keeps_the_order_and_the_descriptor():
    record = extended_record(service_record("ns", descriptor("S", "B", "A")), ["A", "C"])
    assert list(record.message.method_names) == ["B", "A", "C"]
    assert [method.name for method in record.message.service_descriptor.method] == ["B", "A", "C"]
    assert record.methods == {"A", "B", "C"}


@pytest.mark.parametrize(
    ("namespace", "message", "text"),
    [
        ("", descriptor("S"), "namespace is required"),
        ("ns", descriptor(""), "service name is required"),
        ("ns", descriptor("S", "A", ""), "service 'S' has a method without a name"),
        ("ns", descriptor("S", "A", "B", "A"), "service 'S' declares twice: A"),
    ],
)
def test_an_incomplete_service_is_no_record(namespace, message, text):
    """REG-002, REG-006"""
    with pytest.raises(InvalidRecord, match=text):
        service_record(namespace, message)


def test_a_proto_record_names_what_it_imports_and_what_came_with_it():
    record = proto_record(
        "ns",
        FileDescriptorProto(name="a.proto", dependency=["b.proto", "c.proto"]),
        [FileDescriptorProto(name="c.proto"), FileDescriptorProto(name="d.proto")],
    )
    assert list(record.message.dependencies) == ["b.proto", "c.proto", "d.proto"]
