"""Every store keeps the same promises."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from collector_reference import AlreadyRegistered
from collector_reference.errors import RestoreRefused
from collector_reference.registry.store import extended_record, proto_record, service_record


async def test_a_record_is_found_under_its_exact_pair(place, descriptor):
    """REG-004, REG-009, REG-013"""
    pairs = [
        ("a/b", "c"),
        ("a", "b/c"),
        ("a%2Fb", "c"),
        ("a", "c"),
        ("A", "c"),
        ("a", "c "),
        ("a", "caf\u00e9"),
        ("a", "c\0d"),
        (" ", "c"),
        ("services", "x"),
    ]
    async with place.opened() as store:
        for namespace, name in pairs:
            await store.add_service(service_record(namespace, descriptor(name, "M")))
        found = [store.service(*pair) for pair in pairs]
        assert [(record.namespace, record.service_name) for record in found] == pairs
        assert {record.message.id for record in found[:2]} == {"a/b/c"}
        assert store.service("a", "cafe\u0301") is None
        assert store.service("b", "c") is None


async def test_a_taken_key_keeps_its_first_record(place, descriptor):
    """REG-003"""
    async with place.opened() as store:
        first = service_record("ns", descriptor("S", "A"))
        await store.add_service(first)
        generation = store.generation
        with pytest.raises(AlreadyRegistered, match="service 'ns/S' is already registered"):
            await store.add_service(service_record("ns", descriptor("S", "B")))
        assert store.service("ns", "S") == first
        assert store.generation == generation


async def test_one_of_many_concurrent_registrations_succeeds(place, descriptor):
    """REG-014"""
    async with place.opened() as store:
        outcomes = await asyncio.gather(
            *(store.add_service(service_record("ns", descriptor("S", "A"))) for _ in range(20)),
            return_exceptions=True,
        )
        assert outcomes.count(None) == 1
        assert sum(isinstance(outcome, AlreadyRegistered) for outcome in outcomes) == 19


async def test_methods_are_those_of_the_record(place, descriptor):
    async with place.opened() as store:
        await store.add_service(service_record("ns", descriptor("S", "A", "B")))
        await store.add_service(service_record("ns", descriptor("Empty")))
        assert store.has_method("ns", "S", "A")
        assert not store.has_method("ns", "S", "a")
        assert not store.has_method("ns", "S", "")
        assert not store.has_method("ns", "Empty", "A")
        assert not store.has_method("other", "S", "A")


async def test_a_list_is_whole_exact_and_in_order(place, descriptor):
    """REG-010, REG-011"""
    async with place.opened() as store:
        await asyncio.gather(
            *(
                store.add_service(service_record("many", descriptor(f"S{number}")))
                for number in range(place.many)
            )
        )
        await store.add_service(service_record("few", descriptor("Second")))
        await store.add_service(service_record("few", descriptor("First")))
        assert [record.service_name for record in store.services("few")] == ["Second", "First"]
        assert list(store.services("none")) == []
        assert len(store.services("none")) == 0
        assert len(store.services(None)) == len(list(store.services(None))) == place.many + 2
        names = [record.service_name for record in store.services("many")]
        assert len(names) == len(store.services("many")) == place.many
        assert set(names) == {f"S{number}" for number in range(place.many)}


async def test_a_proto_is_stored_once(place):
    """REG-007"""
    async with place.opened() as store:
        record = proto_record("ns", FileDescriptorProto(name="a.proto"), [])
        await store.add_proto(record)
        with pytest.raises(AlreadyRegistered, match=r"proto 'ns/a\.proto' is already registered"):
            await store.add_proto(proto_record("ns", FileDescriptorProto(name="a.proto"), []))
        assert store.proto("ns", "a.proto") == record
        assert store.proto("ns", "b.proto") is None


async def test_what_is_declared_is_seen_taken_and_told_apart(place, descriptor):
    async with place.opened() as store:
        await store.add_service(service_record("ns", descriptor("Kept", "A")))
        own = service_record("ns", descriptor("Own", "B"))
        store.declare(own)
        store.declare(extended_record(store.service("ns", "Kept"), ["C"]))
        assert store.has_method("ns", "Own", "B")
        assert list(store.service("ns", "Kept").message.method_names) == ["A", "C"]
        assert store.has_method("ns", "Kept", "A")
        assert store.has_method("ns", "Kept", "C")
        assert sorted(record.service_name for record in store.services("ns")) == ["Kept", "Own"]
        assert len(store.services("ns")) == len(store.services(None)) == 2
        assert own in list(store.services(None))
        assert [record.service_name for record in store.declared()] == ["Own", "Kept"]
        with pytest.raises(AlreadyRegistered):
            await store.add_service(service_record("ns", descriptor("Own", "X")))


async def test_what_was_stored_is_there_after_a_restart_and_what_was_declared_is_not(
    place, descriptor
):
    """OPS-005"""
    if not place.durable:
        pytest.skip("the memory store forgets with its process")
    services = [service_record("ns", descriptor(name, "A", "B")) for name in ("Z", "M", "A")]
    proto = proto_record("ns", FileDescriptorProto(name="kept.proto"), [])
    async with place.opened() as store:
        for record in services:
            await store.add_service(record)
        await store.add_proto(proto)
        store.declare(service_record("system", descriptor("Own", "M")))
        store.declare(extended_record(store.service("ns", "M"), ["Own"]))
    async with place.opened() as store:
        assert list(store.services(None)) == services
        assert store.proto("ns", "kept.proto") == proto
        assert not store.has_method("system", "Own", "M")
        assert not store.has_method("ns", "M", "Own")
        with pytest.raises(AlreadyRegistered):
            await store.add_service(services[0])


async def test_two_that_share_a_place_agree_on_who_was_first(field, place, descriptor):
    """REG-003, REG-014"""
    if not place.durable:
        pytest.skip("the memory store is shared by nobody")
    async with place.opened() as one, place.opened() as other:
        outcomes = await asyncio.gather(
            *(
                store.add_service(service_record("ns", descriptor(f"S{number}", name)))
                for number in range(50)
                for name, store in (("One", one), ("Other", other))
            ),
            return_exceptions=True,
        )
        assert outcomes.count(None) == 50
        assert sum(isinstance(outcome, AlreadyRegistered) for outcome in outcomes) == 50
        for number in range(50):
            first = "One" if outcomes[2 * number] is None else "Other"
            # Each sees the first of both: its own at once, the other's soon after.
            await field.until(
                lambda service=f"S{number}", first=first: all(
                    store.has_method("ns", service, first) for store in (one, other)
                )
            )


async def test_every_change_to_the_services_advances_the_generation(place, descriptor):
    async with place.opened() as store:
        seen = [store.generation]
        await store.add_service(service_record("ns", descriptor("S")))
        seen.append(store.generation)
        store.declare(service_record("ns", descriptor("T")))
        seen.append(store.generation)
        assert seen == sorted(set(seen))


async def test_restoring_brings_back_exactly_the_content_of_the_checkpoint_or_is_refused(
    place, descriptor
):
    async with place.opened() as store:
        await store.add_service(service_record("ns", descriptor("Kept", "A")))
        await store.add_proto(proto_record("ns", FileDescriptorProto(name="kept.proto"), []))
        store.declare(service_record("ns", descriptor("Own")))
        checkpoint = store.checkpoint()
        generation = store.generation
        for _ in range(2):
            await store.add_service(service_record("ns", descriptor("Later")))
            await store.add_proto(proto_record("ns", FileDescriptorProto(name="later.proto"), []))
            store.declare(extended_record(store.service("ns", "Kept"), ["B"]))
            store.declare(service_record("ns", descriptor("OwnLater")))
            before = sorted(record.service_name for record in store.services(None))
            try:
                store.restore(checkpoint)
            except RestoreRefused:
                assert sorted(record.service_name for record in store.services(None)) == before
                return
            assert sorted(record.service_name for record in store.services(None)) == ["Kept", "Own"]
            assert store.service("ns", "Kept").methods == {"A"}
            assert store.proto("ns", "later.proto") is None
            assert store.proto("ns", "kept.proto") is not None
            assert store.generation > generation
