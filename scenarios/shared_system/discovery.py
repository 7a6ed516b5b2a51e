"""Where a service is: from one line of the environment to what a gRPC channel dials.

Four notations: `host:port`, several of them with commas, `dns:///name:port` (or
`dns://server:port/name:port` to ask a certain DNS server), and
`collector://host:port/namespace/Service`, which asks a collector's registry.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from dataclasses import dataclass
from typing import Protocol

import grpc

from shared_system.failures import Failure

__all__ = ["Place", "place"]

_DEFAULT_REFRESH = 1.0


class Place(Protocol):
    """Knows where a service is."""

    async def target(self) -> str:
        """Returns what a gRPC channel dials. Raises `Failure` where nobody knows."""
        ...


@dataclass(frozen=True)
class _Fixed:
    dialled: str

    async def target(self) -> str:
        return self.dialled


class _Listed:
    """Several addresses; names among them are looked up once, because gRPC takes only numbers."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._addresses = addresses

    async def target(self) -> str:
        return _numbers([await _number(address) for address in self._addresses])


class _Registered:
    """Asks a registry, and believes its answer for a moment."""

    def __init__(self, registry: str, namespace: str, service: str, *, once: bool) -> None:
        self._asked = (registry, namespace, service)
        self._once = once
        self._known = ""
        self._until = 0.0

    async def target(self) -> str:
        if self._known and (self._once or time.monotonic() < self._until):
            return self._known
        # Only who asks a registry has to import what it is asked by, which takes a while.
        from shared_system.registry import addresses_of

        try:
            found = await addresses_of(*self._asked)
        except grpc.aio.AioRpcError as error:
            # A registry that is away takes nothing from what it said before.
            if self._known:
                return self._known
            raise Failure(
                grpc.StatusCode.UNAVAILABLE, f"the registry at {self._asked[0]} cannot be asked"
            ) from error
        if not found:
            raise Failure(
                grpc.StatusCode.UNAVAILABLE,
                f"no address of {self._asked[2]} is registered in {self._asked[1]}",
            )
        chosen = found[:1] if self._once else found
        self._known = _numbers([await _number(address) for address in chosen])
        self._until = time.monotonic() + _DEFAULT_REFRESH
        return self._known


def place(notation: str, *, discover: bool = True) -> Place:
    """Returns the place that a notation tells. Without `discover` the first address is kept.

    Raises `ValueError` with a sentence for a notation that cannot be read.
    """
    scheme, separator, rest = notation.partition("://")
    if separator and scheme == "dns":
        _port_of(rest.rpartition("/")[2], notation)
        return _Fixed(notation)
    if separator and scheme == "collector":
        registry, _, named = rest.partition("/")
        namespace, _, service = named.partition("/")
        if not (namespace and service):
            raise ValueError(f"{notation!r} is not collector://host:port/namespace/Service")
        _port_of(registry, notation)
        return _Registered(registry, namespace, service, once=not discover)
    if separator:
        raise ValueError(f"{notation!r} is neither host:port nor dns:// nor collector://")
    addresses = tuple(part.strip() for part in notation.split(","))
    for address in addresses:
        _port_of(address, notation)
    if len(addresses) > 1 and discover:
        return _Listed(addresses)
    return _Fixed(f"dns:///{addresses[0]}")


def _port_of(address: str, notation: str) -> int:
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{address!r} in {notation!r} is not host:port")
    return int(port)


async def _number(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port))
    return str(found[0][4][0]), int(port)


def _numbers(addresses: list[tuple[str, int]]) -> str:
    version = ipaddress.ip_address(addresses[0][0]).version
    written = (f"[{host}]:{port}" if version == 6 else f"{host}:{port}" for host, port in addresses)
    return f"ipv{version}:" + ",".join(written)
