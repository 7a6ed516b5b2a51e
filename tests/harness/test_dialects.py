"""Requests of the harness are laid out as the node reads them that they are for."""

from __future__ import annotations

import pytest

from collector_harness.by_hand import grpcurl_line
from collector_harness.client.dialects import CONNECT, dialect_in, marked, request_bytes
from collector_harness.launchers.choice import dialect_of
from collector_harness.targets import ExecTarget, Reference
from collector_harness.topology.values import Node
from collector_reference import Dialect
from collector_reference.wire.dispatcher_pb2 import ConnectRequest, ServeRequest

REQUEST = ConnectRequest(collector_id="west", address="h:1", namespaces=["a", "b"])
FOREIGN = ExecTarget(command=("./collector",), dialect="accretional")


def test_only_requests_to_connect_differ() -> None:
    written = request_bytes(CONNECT, REQUEST, "accretional")
    assert written == Dialect.ACCRETIONAL.write(REQUEST) != REQUEST.SerializeToString()
    assert request_bytes(CONNECT, REQUEST, "native") == REQUEST.SerializeToString()
    other = ServeRequest(namespace="a", method_name="M")
    path = "/collector.CollectiveDispatcher/Serve"
    assert request_bytes(path, other, "accretional") == other.SerializeToString()


def test_an_address_is_marked_where_the_peer_has_another_dialect() -> None:
    assert marked("h:1", of="accretional", by="native") == "accretional+h:1"
    assert marked("h:1", of="native", by="accretional") == "native+h:1"
    assert marked("h:1", of="accretional", by="accretional") == "h:1"


@pytest.mark.parametrize(
    ("node", "target", "spoken"),
    [
        (Node(name="a"), FOREIGN, "accretional"),
        (Node(name="a", dialect="native"), FOREIGN, "native"),
        (Node(name="a", environment=(("COLLECTOR_DIALECT", "native"),)), FOREIGN, "native"),
        (Node(name="a", collector="reference"), Reference(), "accretional"),
        (Node(name="a"), ExecTarget(command=("./other",)), "native"),
    ],
)
def test_a_node_speaks_as_it_says_or_its_target_and_the_harness_as_what_is_under_test(
    node: Node, target: ExecTarget | Reference, spoken: str
) -> None:
    assert dialect_of(node, target, under_test=FOREIGN) == spoken


def test_what_is_no_dialect_is_no_declaration() -> None:
    assert dialect_in([("COLLECTOR_DIALECT", "klingon")]) is None


def test_a_request_in_another_dialect_is_not_told_as_a_line_of_the_contract() -> None:
    request = {"collector_id": "west", "address": "h:1"}
    assert grpcurl_line(CONNECT, request, address="h:2") is not None
    assert grpcurl_line(CONNECT, request, address="h:2", dialect="accretional") is None
