"""What is known of the records in etcd, without etcd."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from collector_reference.registry import etcd_index
from collector_reference.registry.etcd_client import Change, Entry
from collector_reference.registry.etcd_index import EtcdIndex
from collector_reference.registry.store import proto_record, service_record

PREFIX = "fleet"


@pytest.fixture
def index() -> EtcdIndex:
    return EtcdIndex(PREFIX)


@pytest.fixture
def entry(index, descriptor):
    """Makes the entry of a service."""

    def make(namespace: str, name: str, *methods: str, revision: int = 1) -> Entry:
        key, value = index.service_entry(service_record(namespace, descriptor(name, *methods)))
        return Entry(key=key, value=value, created=revision, changed=revision)

    return make


def put(entry: Entry) -> Change:
    return Change(key=entry.key, entry=entry)


def names(index: EtcdIndex, namespace: str | None = None) -> list[str]:
    return [record.service_name for record in index.services(namespace)]


@pytest.mark.parametrize("namespace", ["ns", "a/b", "caf\u00e9 \u2603", "%2F", "\x00"])
def test_a_record_is_read_as_it_was_written(index, entry, descriptor, namespace):
    index.apply(put(entry(namespace, "S/T", "A", "B")))
    record = index.service(namespace, "S/T")
    assert (record.namespace, record.service_name) == (namespace, "S/T")
    assert record.methods == {"A", "B"}
    assert list(index.services(namespace)) == [record]


def test_what_was_read_before_a_change_is_not_told_after_it(index, entry):
    index.apply(put(entry("ns", "S", "A")))
    assert index.service("ns", "S").methods == {"A"}
    index.apply(put(entry("ns", "S", "B")))
    assert index.service("ns", "S").methods == {"B"}
    index.apply(Change(key=entry("ns", "S").key, entry=None))
    assert index.service("ns", "S") is None
    assert names(index) == []


def test_every_change_to_the_services_and_nothing_else_advances_the_generation(index, entry):
    seen = [index.generation]
    proto = proto_record("ns", FileDescriptorProto(name="a.proto"), ())
    key, value = index.proto_entry(proto)
    index.apply(put(Entry(key=key, value=value, created=1, changed=1)))
    assert index.proto("ns", "a.proto").message == proto.message
    index.apply(Change(key=b"fleet/elsewhere", entry=None))
    assert [index.generation] == seen
    for change in (put(entry("ns", "S")), put(entry("ns", "S", "A"))):
        index.apply(change)
        seen.append(index.generation)
    index.apply(Change(key=entry("ns", "S").key, entry=None))
    seen.append(index.generation)
    assert seen == sorted(set(seen))


async def test_what_was_known_is_told_until_all_of_the_new_is_known(index, entry, monkeypatch):
    """Loading anew gives everybody else a turn, and shows nobody half of it."""
    monkeypatch.setattr(etcd_index, "_BETWEEN_BREATHS", 2)
    for number in range(3):
        index.apply(put(entry("old", f"S{number}")))
    before = index.generation
    entries = [entry("new", f"S{number}") for number in range(7)]
    replacing = asyncio.create_task(index.replace(entries))
    seen = set()
    while not replacing.done():
        seen.add(tuple(names(index)))
        await asyncio.sleep(0)
    await replacing
    whole = tuple(f"S{number}" for number in range(7))
    assert tuple(names(index, "new")) == whole
    assert seen <= {("S0", "S1", "S2"), whole}
    assert ("S0", "S1", "S2") in seen
    assert index.service("old", "S0") is None
    assert entries == []
    assert index.generation > before


def test_more_records_than_are_kept_as_messages_can_be_read(index, entry, monkeypatch):
    monkeypatch.setattr(etcd_index, "_MAX_READ", 3)
    for number in range(10):
        index.apply(put(entry("ns", f"S{number}", f"M{number}")))
    for _ in range(2):
        for number in range(10):
            assert index.service("ns", f"S{number}").methods == {f"M{number}"}


@pytest.mark.parametrize("broken", [b"", b"0123456789abcdef\xff\xff", b"short"])
def test_what_is_no_record_is_left_out_with_a_line_in_the_log(index, entry, broken, caplog):
    index.apply(put(entry("ns", "S", "A")))
    good = entry("ns", "S", "A")
    index.apply(
        Change(key=good.key + b"T", entry=Entry(key=b"", value=broken, created=1, changed=1))
    )
    assert names(index) == ["S"]
    assert "holds no record, and is left out" in caplog.text
