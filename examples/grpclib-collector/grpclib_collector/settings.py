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
        if text("COLLECTOR_REGISTRY", "memory") != "memory":
            raise SettingsError("COLLECTOR_REGISTRY: this collector keeps its registry in memory")
        if text("COLLECTOR_DIALECT", "native") != "native":
            raise SettingsError("COLLECTOR_DIALECT: this collector speaks `native` only")
        if text("COLLECTOR_VALIDATION", "on") not in ("on", "off"):
            raise SettingsError("COLLECTOR_VALIDATION must be `on` or `off`")
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
