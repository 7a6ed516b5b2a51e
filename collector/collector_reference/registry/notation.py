"""How a registry and a membership are written down in settings, and the values they become.

Nothing is opened here. The forms are `memory`, `sqlite:PATH` and
`etcd:HOST:PORT[,HOST:PORT]/PREFIX[?lease=SECONDS]`, or `etcd+tls:` with the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl

from collector_reference.addresses import is_peer_address
from collector_reference.registry.etcd_access import OPEN, EtcdAccess

__all__ = [
    "MEMORY",
    "EtcdMembership",
    "EtcdPlace",
    "EtcdRegistry",
    "MemoryRegistry",
    "RegistryChoice",
    "SqliteRegistry",
    "parse_etcd_place",
    "parse_membership",
    "parse_registry",
    "reached_by",
]

FORMS = (
    "memory, sqlite:PATH or etcd:HOST:PORT[,HOST:PORT]/PREFIX[?lease=SECONDS] (etcd+tls: by TLS)"
)
SHORTEST_LEASE = timedelta(seconds=2)
"""What etcd makes of any shorter one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryRegistry:
    """Records live and die with the process."""

    def __str__(self) -> str:
        return "memory"


MEMORY = MemoryRegistry()


@dataclass(frozen=True, kw_only=True, slots=True)
class SqliteRegistry:
    """Records are kept in a file of this machine."""

    path: Path
    """Made when it is not there; its folder must be."""

    def __str__(self) -> str:
        return f"sqlite:{self.path}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EtcdPlace:
    """A folder of keys in an etcd cluster."""

    endpoints: tuple[str, ...]
    """`host:port` of its members, of which any will do."""
    prefix: str
    """What every key begins with, without slashes around it."""
    tls: bool = False
    """Whether its members are dialled by TLS."""
    access: EtcdAccess = OPEN
    """What they are shown."""

    def __str__(self) -> str:
        kind = "etcd+tls" if self.tls else "etcd"
        return f"{kind}:{','.join(self.endpoints)}/{self.prefix}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EtcdRegistry:
    """Records are kept in etcd, and shared by every collector with the same place."""

    place: EtcdPlace
    lease: timedelta | None = None
    """How long a registration outlives the collector that took it; None for ever."""

    def __str__(self) -> str:
        if self.lease is None:
            return str(self.place)
        return f"{self.place}?lease={self.lease.total_seconds():g}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EtcdMembership:
    """Where collectors find each other."""

    place: EtcdPlace
    lease: timedelta = timedelta(seconds=5)
    """How long a member that died is still taken for one."""

    def __str__(self) -> str:
        return f"{self.place}?lease={self.lease.total_seconds():g}"


RegistryChoice = MemoryRegistry | SqliteRegistry | EtcdRegistry


def reached_by(place: EtcdPlace, access: EtcdAccess) -> EtcdPlace:
    """Returns the place with what its members are shown; raises `ValueError` for files of TLS
    where it is not dialled by TLS.
    """
    if access.names_tls and not place.tls:
        raise ValueError(
            f"'{place}' is dialled in plaintext, but TLS files are given: etcd+tls:..."
        )
    return replace(place, access=access)


def parse_registry(text: str) -> RegistryChoice:
    """Returns the store that a text names; raises `ValueError` saying what it should be."""
    kind, _, rest = text.strip().partition(":")
    match kind:
        case "memory" if not rest:
            return MEMORY
        case "sqlite":
            if not rest or "\0" in rest:
                raise ValueError(f"'{text}' names no file: write sqlite:PATH")
            return SqliteRegistry(path=Path(rest))
        case "etcd" | "etcd+tls":
            place, lease = parse_etcd_place(text, option="lease")
            return EtcdRegistry(place=place, lease=lease)
        case _:
            raise ValueError(f"'{text}' is no registry: write {FORMS}")


def parse_membership(text: str) -> EtcdMembership:
    """Returns the place that a text names; raises `ValueError` saying what it should be."""
    place, lease = parse_etcd_place(text, option="lease")
    return (
        EtcdMembership(place=place) if lease is None else EtcdMembership(place=place, lease=lease)
    )


def parse_etcd_place(text: str, *, option: str) -> tuple[EtcdPlace, timedelta | None]:
    """Returns a place in etcd, and the seconds of its one option, None where it is not given.

    Raises `ValueError` saying what is wrong.
    """
    form = f"etcd:HOST:PORT[,HOST:PORT]/PREFIX[?{option}=SECONDS]"
    kind, _, rest = text.strip().partition(":")
    if kind not in ("etcd", "etcd+tls"):
        raise ValueError(f"'{text}' is no place in etcd: write {form}")
    address, _, query = rest.partition("?")
    hosts, _, prefix = address.partition("/")
    endpoints = tuple(part.strip() for part in hosts.split(",") if part.strip())
    for endpoint in endpoints:
        if "/" in endpoint or not is_peer_address(endpoint):
            raise ValueError(f"'{endpoint}' is not HOST:PORT: write {form}")
    prefix = prefix.strip("/")
    if not endpoints or not prefix:
        missing = "no endpoint" if not endpoints else "no prefix"
        raise ValueError(f"'{text}' names {missing}: write {form}")
    seconds: timedelta | None = None
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name != option:
            raise ValueError(f"'{name}' is not an option: write {form}")
        seconds = _seconds(name, value)
    return EtcdPlace(endpoints=endpoints, prefix=prefix, tls=kind == "etcd+tls"), seconds


def _seconds(name: str, value: str) -> timedelta:
    try:
        seconds = timedelta(seconds=float(value.removesuffix("s")))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name}: '{value}' is not a number of seconds") from error
    if seconds < SHORTEST_LEASE:
        raise ValueError(f"{name}: etcd keeps nothing for less than 2 s, and '{value}' is less")
    return seconds
