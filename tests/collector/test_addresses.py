from __future__ import annotations

import pytest

from collector_reference.addresses import (
    ListenAddress,
    dialable,
    is_loopback,
    is_peer_address,
    parse_listen,
    resolved_target,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("127.0.0.1:0", ListenAddress(host="127.0.0.1", port=0)),
        ("[::1]:50051", ListenAddress(host="::1", port=50051)),
        ("collector-1.internal:80", ListenAddress(host="collector-1.internal", port=80)),
    ],
)
def test_a_listen_address_is_read_and_written_alike(text, value):
    assert parse_listen(text) == value
    assert str(value) == text


@pytest.mark.parametrize("text", ["", "127.0.0.1", ":1", "host:", "host:x", "::1:80", "a b:1"])
def test_what_is_not_host_and_port_is_refused(text):
    with pytest.raises(ValueError, match="is not host:port"):
        parse_listen(text)


def test_a_port_above_the_highest_is_refused():
    with pytest.raises(ValueError, match="port 70000 in 'host:70000' is above 65535"):
        parse_listen("host:70000")


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:1",
        "localhost:65535",
        "[::1]:80",
        "dns:///east.example:443",
        "dns:east.example",
        "ipv4:127.0.0.1:80",
        "ipv6:[::1]:80",
        "unix:/run/collector.sock",
        "unix:///run/collector.sock",
        "xds:///east",
    ],
)
def test_what_grpc_can_dial_is_a_peer_address(text):
    assert is_peer_address(text)


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:0", "host:65536", ":80", "host:80 ", "http://host:80", "dns:///", "unix: x"],
)
def test_what_nobody_can_dial_is_no_peer_address(text):
    assert not is_peer_address(text)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:7"),
        ("0.0.0.0", "127.0.0.1:7"),
        ("::", "[::1]:7"),
        ("::1", "[::1]:7"),
        ("192.0.2.1", "192.0.2.1:7"),
        ("localhost", "localhost:7"),
    ],
)
def test_a_wildcard_is_dialled_over_the_loopback(host, address):
    assert dialable(host, 7) == address


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("::", False)],
)
def test_only_loopback_hosts_are_loopback(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("127.0.0.1:80", "ipv4:127.0.0.1:80"),
        ("[::1]:80", "ipv6:[::1]:80"),
        ("east.example:80", "east.example:80"),
        ("unix:/run/x", "unix:/run/x"),
    ],
)
def test_an_ip_literal_is_not_given_to_a_resolver(address, target):
    assert resolved_target(address) == target
