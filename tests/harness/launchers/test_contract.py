"""The launch contract is written and read exactly."""

from __future__ import annotations

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.launchers.base import Launch
from collector_harness.launchers.contract import environment_for, ready_address
from collector_harness.topology.values import Node


def environment(node: Node, **fields: object) -> dict[str, str]:
    return environment_for(
        Launch(node=node, **fields),  # type: ignore[arg-type]
        advertise="127.0.0.1:5",
        base={"PATH": "/bin", "COLLECTOR_ID": "somebody", "COLLECTOR_TLS_CERT": "x"},
        marker="m",
    )


def test_a_node_is_told_everything_and_nothing_of_others() -> None:
    node = Node(
        name="west",
        namespaces=("a", "b c"),
        probe=("a",),
        validation=False,
        environment=(("EXTRA", "1"), ("COLLECTOR_REGISTRY", "x.db")),
    )
    assert environment(node, connect=("127.0.0.1:1",), registry_address="127.0.0.1:2") == {
        "PATH": "/bin",
        "COLLECTOR_ID": "west",
        "COLLECTOR_LISTEN": "127.0.0.1:0",
        "COLLECTOR_ADVERTISE": "127.0.0.1:5",
        "COLLECTOR_NAMESPACES": "a,b c",
        "COLLECTOR_PROBE": "a",
        "COLLECTOR_VALIDATION": "off",
        "COLLECTOR_CONNECT": "127.0.0.1:1",
        "COLLECTOR_REGISTRY_ADDRESS": "127.0.0.1:2",
        "COLLECTOR_REGISTRY": "x.db",
        "EXTRA": "1",
        "COLLECTOR_HARNESS_RUN": "m",
    }


def test_what_is_not_set_is_left_out() -> None:
    told = environment(Node(name="west"))
    assert told["COLLECTOR_NAMESPACES"] == ""
    assert told["COLLECTOR_VALIDATION"] == "on"
    assert not told.keys() & {
        "COLLECTOR_PROBE",
        "COLLECTOR_CONNECT",
        "COLLECTOR_REGISTRY_ADDRESS",
        "COLLECTOR_TLS_CERT",
    }


@pytest.mark.parametrize(
    "node",
    [
        Node(name="west", namespaces=("a,b",)),
        Node(name="west", namespaces=("",)),
        Node(name="west", probe=(" a",)),
        Node(name="we\0st"),
        Node(name="west", environment=(("A=B", "x"),)),
        Node(name="west", environment=(("", "x"),)),
        Node(name="west", environment=(("A", "\0"),)),
    ],
)
def test_what_cannot_be_told_is_refused(node: Node) -> None:
    with pytest.raises(InvalidInput, match="cannot be a process"):
        environment(node)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b"collector listening on 127.0.0.1:50051", ("127.0.0.1", 50051)),
        (b"collector listening on 127.0.0.1:50051 \r", ("127.0.0.1", 50051)),
        (b"collector listening on localhost:1", ("localhost", 1)),
        (b"collector listening on [::1]:65535", ("::1", 65535)),
        (b"collector listening on", None),
        (b" collector listening on 127.0.0.1:1", None),
        (b"Collector listening on 127.0.0.1:1", None),
        (b"collector listening on 127.0.0.1:1 and more", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_a_ready_line_is_told_from_any_other(line: bytes, place: tuple[str, int] | None) -> None:
    assert ready_address(line) == place


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:1e3",
        "0.0.0.0:1",
        "10.0.0.1:1",
        "example.com:1",
        "\u0661:1",
    ],
)
def test_an_address_that_is_not_this_machines_loopback_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        ready_address(f"collector listening on {address}".encode())
