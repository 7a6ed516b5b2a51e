from __future__ import annotations

import pytest
from google.protobuf import duration_pb2, empty_pb2, struct_pb2, wrappers_pb2
from google.protobuf.any_pb2 import Any

from collector_reference import UnsupportedOutput
from collector_reference.dispatch.payloads import decoded, encoded


def packed(message) -> Any:
    payload = Any()
    payload.Pack(message)
    return payload


STRUCT = struct_pb2.Struct()
STRUCT.update(
    {"sku": "A1", "count": 7, "price": 1.5, "gift": True, "note": None, "tags": ["x", {}]}
)
STRUCT_VALUE = {
    "sku": "A1",
    "count": 7,
    "price": 1.5,
    "gift": True,
    "note": None,
    "tags": ["x", {}],
}


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (wrappers_pb2.StringValue(value="caf\u00e9"), "caf\u00e9"),
        (wrappers_pb2.BytesValue(value=b"\x00\xff"), b"\x00\xff"),
        (wrappers_pb2.BoolValue(value=True), True),
        (wrappers_pb2.Int64Value(value=-(2**63)), -(2**63)),
        (wrappers_pb2.DoubleValue(value=0.1), 0.1),
        (STRUCT, STRUCT_VALUE),
        (struct_pb2.Struct(), {}),
    ],
)
def test_what_a_handler_returns_is_what_another_gets(message, value):
    assert decoded(packed(message)) == value
    assert type(decoded(packed(message))) is type(value)
    again = encoded(value)
    assert again.type_url == packed(message).type_url
    assert decoded(again) == value


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (wrappers_pb2.Int32Value(value=-3), -3),
        (wrappers_pb2.UInt32Value(value=3), 3),
        (wrappers_pb2.UInt64Value(value=2**64 - 1), 2**64 - 1),
        (wrappers_pb2.FloatValue(value=0.5), 0.5),
        (struct_pb2.Value(string_value="x"), "x"),
        (struct_pb2.Value(null_value=struct_pb2.NULL_VALUE), None),
        (empty_pb2.Empty(), None),
    ],
)
def test_other_well_known_types_become_their_values(message, value):
    assert decoded(packed(message)) == value


def test_a_list_becomes_a_list_value():
    payload = encoded(["a", 1, [True], {"k": None}])
    assert payload.type_url == "type.googleapis.com/google.protobuf.ListValue"
    assert decoded(payload) == ["a", 1, [True], {"k": None}]


def test_a_whole_number_of_a_struct_is_an_int_as_far_as_it_is_exact():
    payload = encoded({"small": 2.0, "large": 1e300})
    assert {key: type(value) for key, value in decoded(payload).items()} == {
        "small": int,
        "large": float,
    }


@pytest.mark.parametrize(
    "payload",
    [
        Any(),
        Any(value=b"bytes without a type"),
        Any(type_url="google.protobuf.StringValue", value=b""),
        Any(type_url="type.googleapis.com/google.protobuf.StringValue", value=b"\xff\xff"),
        Any(type_url="type.googleapis.com/shop.Order", value=b"\x08\x01"),
        packed(duration_pb2.Duration(seconds=1)),
    ],
)
def test_everything_else_stays_the_any_that_it_is(payload):
    assert decoded(payload) is payload
    assert encoded(payload) is payload


def test_another_prefix_names_the_same_type():
    payload = Any(type_url="example.com/types/google.protobuf.StringValue", value=b"\x0a\x01x")
    assert decoded(payload) == "x"


def test_a_message_is_packed_and_nothing_stays_nothing():
    assert encoded(duration_pb2.Duration(seconds=1)) == packed(duration_pb2.Duration(seconds=1))
    assert encoded(None) is None


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, {"k": object()}, [object()], 2**63, "\ud800", Any]
)
def test_what_does_not_fit_is_told(value):
    """SRV-008"""
    with pytest.raises(UnsupportedOutput, match=type(value).__name__):
        encoded(value)
