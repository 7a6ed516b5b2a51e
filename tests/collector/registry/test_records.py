"""What makes a record, whatever keeps it."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, ServiceDescriptorProto

from collector_reference import InvalidRecord
from collector_reference.registry.store import extended_record, proto_record, service_record


def descriptor(name: str, *methods: str) -> ServiceDescriptorProto:
    message = ServiceDescriptorProto(name=name)
    for method in methods:
        message.method.add(name=method)
    return message


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
