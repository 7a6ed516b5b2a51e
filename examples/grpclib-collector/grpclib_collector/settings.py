"""The launch contract: the environment of the process as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Settings", "SettingsError", "split_address"]

_UNSUPPORTED = {
    "COLLECTOR_TLS_CERT": "this collector speaks plaintext only",
    "COLLECTOR_TLS_KEY": "this collector speaks plaintext only",
    "COLLECTOR_TLS_CA": "this collector speaks plaintext only",
}
_CHOICES = {
    "COLLECTOR_REGISTRY": (("memory",), "this collector keeps its registry in memory"),
    "COLLECTOR_DIALECT": (("native",), "this collector speaks `native` only"),
    "COLLECTOR_VALIDATION": (("on", "off"), "must be `on` or `off`"),
    "COLLECTOR_ADMIN": (("off", "local"), "must be `off` or `local`"),
}
"""What a variable may be, the default first, and what is said of anything else."""


class SettingsError(Exception):
    """A variable that cannot be used as it is set."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    collector_id: str
    host: str
    port: int
    namespaces: tuple[str, ...]
    advertise: str
    """What peers are told; empty for the bound address."""
    connect: tuple[str, ...]
    system_namespace: str
    registry_address: str
    """The registry that the dispatcher asks; empty for the own one, over the loopback."""
    probe: tuple[str, ...]
    validation: bool
    admin: bool
    """Whether the admin service answers callers of this machine."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises `SettingsError` naming the variable that cannot be used."""

        def text(name: str, default: str = "") -> str:
            return environment.get(name, "").strip() or default

        def several(name: str) -> tuple[str, ...]:
            return tuple(part.strip() for part in text(name).split(",") if part.strip())

        for name, reason in _UNSUPPORTED.items():
            if text(name):
                raise SettingsError(f"{name} is set, but {reason}")
        for name, (allowed, problem) in _CHOICES.items():
            if text(name, allowed[0]) not in allowed:
                raise SettingsError(f"{name}: {problem}")
        if not text("COLLECTOR_ID"):
            raise SettingsError("COLLECTOR_ID must be set")
        listen = split_address(text("COLLECTOR_LISTEN", "127.0.0.1:0"))
        if listen is None:
            raise SettingsError("COLLECTOR_LISTEN must be HOST:PORT")
        connect = several("COLLECTOR_CONNECT")
        for address in connect:
            peer = split_address(address)
            if peer is None or peer[1] == 0:
                raise SettingsError(f"COLLECTOR_CONNECT: '{address}' is not HOST:PORT")
        return cls(
            collector_id=text("COLLECTOR_ID"),
            host=listen[0],
            port=listen[1],
            namespaces=several("COLLECTOR_NAMESPACES"),
            advertise=text("COLLECTOR_ADVERTISE"),
            connect=connect,
            system_namespace=text("COLLECTOR_SYSTEM_NAMESPACE", "system"),
            registry_address=text("COLLECTOR_REGISTRY_ADDRESS"),
            probe=several("COLLECTOR_PROBE"),
            validation=text("COLLECTOR_VALIDATION", "on") == "on",
            admin=text("COLLECTOR_ADMIN") == "local",
        )


def split_address(address: str) -> tuple[str, int] | None:
    """Returns host and port of `host:port`, `[ipv6]:port` and gRPC's `dns:`, `ipv4:` and
    `ipv6:` forms of them; None for anything else."""
    for scheme in ("dns:///", "ipv4:", "ipv6:"):
        address = address.removeprefix(scheme)
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isdecimal() and int(port) < 1 << 16) or "/" in host:
        return None
    return host, int(port)
