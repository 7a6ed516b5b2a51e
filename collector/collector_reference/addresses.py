"""Addresses as text: what may be listened on, what a peer may advertise, what can be dialled.

Pure functions; nothing here opens a socket.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

__all__ = [
    "ListenAddress",
    "dialable",
    "host_and_port",
    "is_loopback",
    "is_peer_address",
    "parse_listen",
    "resolved_target",
]

_SCHEMES = ("dns:", "ipv4:", "ipv6:", "unix:", "xds:")
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s:/+\[\]]+):(?P<port>[0-9]{1,5})")
_MAX_PORT = 65535


@dataclass(frozen=True, kw_only=True, slots=True)
class ListenAddress:
    """Where to listen."""

    host: str
    """Without brackets."""
    port: int
    """0 for any free one."""

    def __str__(self) -> str:
        return _joined(self.host, self.port)


def parse_listen(text: str) -> ListenAddress:
    """Returns the value of `host:port`; raises `ValueError` saying what is wrong with it."""
    match = _HOST_PORT.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is not host:port, such as 127.0.0.1:0 or [::1]:0")
    port = int(match["port"])
    if port > _MAX_PORT:
        raise ValueError(f"port {port} in '{text}' is above {_MAX_PORT}")
    return ListenAddress(host=match["host"].strip("[]"), port=port)


def is_peer_address(text: str) -> bool:
    """Whether a peer may advertise it: `host:port` with a port above 0, or a gRPC target (CON-009).

    The text after a scheme only has to be there: its grammar is gRPC's.
    """
    for scheme in _SCHEMES:
        if text.startswith(scheme):
            rest = text[len(scheme) :].strip("/")
            return bool(rest) and not any(character.isspace() for character in rest)
    match = _HOST_PORT.fullmatch(text)
    return match is not None and 0 < int(match["port"]) <= _MAX_PORT


def dialable(host: str, port: int) -> str:
    """Returns an address on this machine that reaches a server bound to `host` and `port`."""
    if host in ("0.0.0.0", "*"):  # noqa: S104 - recognised, not bound
        host = "127.0.0.1"
    elif _is_ipv6(host) and ipaddress.ip_address(host).is_unspecified:
        host = "::1"
    return _joined(host, port)


def resolved_target(address: str) -> str:
    """Returns the gRPC target for an address; one with an IP literal needs no name resolver."""
    match = _HOST_PORT.fullmatch(address)
    if match:
        try:
            literal = ipaddress.ip_address(match["host"].strip("[]"))
        except ValueError:
            return address
        return f"ipv{literal.version}:{address}"
    return address


def host_and_port(address: str) -> tuple[str, int] | None:
    """Returns where TCP leads for an address, None for one of another kind.

    Of gRPC targets `dns:` and addresses with an IP literal are understood.
    """
    text = address
    for scheme in ("dns:///", "dns:", "ipv4:", "ipv6:"):
        if text.startswith(scheme):
            text = text[len(scheme) :]
            break
    match = _HOST_PORT.fullmatch(text)
    return (match["host"].strip("[]"), int(match["port"])) if match else None


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
