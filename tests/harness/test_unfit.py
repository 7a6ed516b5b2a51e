"""What does not fit a message is told in our own words, whichever version of protobuf found it."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.message import Message

from collector_harness.client.unfit import read_json
from collector_harness.errors import InvalidInput
from collector_reference.wire import dispatcher_pb2, registry_pb2

LIST = registry_pb2.ListServicesRequest
DISPATCH = dispatcher_pb2.DispatchRequest
FIELD = descriptor_pb2.FieldDescriptorProto


def told(kind: type[Message], value: object) -> tuple[str, str | None]:
    """Returns what is told of a value that does not fit, and the hint."""
    with pytest.raises(InvalidInput) as caught:
        read_json(value, kind(), pool=kind.DESCRIPTOR.file.pool, what="the request")
    (problem,) = caught.value.problems
    for word in ("collector_reference", "Failed to parse", "Available"):
        assert word not in problem.message
    return problem.message.removeprefix("the request does not fit "), problem.hint


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (LIST, {"namespace": 1}, "at 'namespace': it takes text, not a number"),
        (LIST, {"namespace": ["x"]}, "at 'namespace': it takes text, not a list"),
        (DISPATCH, {"routing_hints": ["a"]}, "at 'routing_hints': it takes a mapping, not ['a']"),
        (DISPATCH, {"service": 5}, "at 'service': it takes a mapping of fields, not a int"),
        (DISPATCH, {"input": {"a": 1}}, "at 'input': an Any begins with its '@type'"),
        (
            DISPATCH,
            {"input": {"@type": "type.googleapis.com/nope.X"}},
            "at 'input': the message type 'nope.X' is not known",
        ),
        (FIELD, {"number": "x"}, "at 'number': it takes a whole number, not 'x'"),
        (FIELD, {"number": 1.5}, "at 'number': it takes a whole number, not 1.5"),
        (FIELD, {"number": 2**40}, "at 'number': 1099511627776 is out of its range"),
        (
            FIELD,
            {"proto3Optional": "yes"},
            "at 'proto3Optional': it takes true or false, without quotes",
        ),
        (
            dispatcher_pb2.ServeResponse,
            {"status": {"code": "OKK"}},
            "at 'status.code': Code has no value 'OKK'",
        ),
        (
            dispatcher_pb2.ConnectRequest,
            {"namespaces": "a"},
            "at 'namespaces': it takes a list, not a",
        ),
    ],
)
def test_a_value_of_another_kind_is_told_at_its_field(
    kind: type[Message], value: object, message: str
) -> None:
    name = f"collector.{kind.DESCRIPTOR.name}"
    if kind is FIELD:
        name = "google.protobuf.FieldDescriptorProto"
    assert told(kind, value) == (f"{name} {message}", None)


def test_a_field_that_there_is_not_gets_a_did_you_mean() -> None:
    assert told(LIST, {"nmespace": "x"}) == (
        "collector.ListServicesRequest: ListServicesRequest has no field 'nmespace'",
        "did you mean 'namespace'?",
    )
    assert told(DISPATCH, {"service": {"nam": 1}}) == (
        "collector.DispatchRequest at 'service': ServiceTypeRef has no field 'nam'",
        "its fields are: namespace, serviceName",
    )


def test_words_that_are_not_known_are_passed_on_without_their_places() -> None:
    value = {"input": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "x"}}
    message, hint = told(DISPATCH, value)
    assert message.startswith("collector.DispatchRequest at 'input': ")
    assert "DispatchRequest.input" not in message
    assert hint is None


def test_a_list_in_place_of_a_message_is_told_with_its_fields() -> None:
    assert told(LIST, ["a"]) == (
        "collector.ListServicesRequest: it takes a mapping of fields, not a list",
        "its fields are: namespace",
    )
