"""Peers by name: every address that a host has is a peer, looked up again and again.

What becomes of an address is the business of who asked for it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta

from collector_reference.addresses import ListenAddress, parse_listen
from collector_reference.dispatch.dialects import split_dialect

__all__ = ["Resolver", "follow", "resolve"]

_LOG = logging.getLogger(__name__)

Resolver = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""Returns the addresses, as `host:port`, that a name has; raises `OSError` when that is not known
now."""


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Asks the machine's resolver: A and AAAA records, and what its hosts file says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(
        dict.fromkeys(
            str(ListenAddress(host=str(address[0]), port=int(address[1])))
            for _, _, _, _, address in found
        )
    )


async def follow(
    name: str,
    *,
    every: timedelta,
    connect: Callable[[str], asyncio.Task[None]],
    resolver: Resolver = resolve,
) -> None:
    """Looks the name up until it is cancelled.

    `connect` is called once for each new address, marked with the name's dialect, and returns the
    attempt; an attempt is cancelled when the name does not have the address any more. What is
    connected stays so: a name that is changed says nothing about a connection that works. An
    address that goes and comes back is connected to anew.
    """
    dialect, address = split_dialect(name)
    mark = "" if dialect is None else f"{dialect.value}+"
    place = parse_listen(address)
    attempts: dict[str, asyncio.Task[None]] = {}
    while True:
        try:
            found = await resolver(place.host, place.port)
        except OSError as error:
            _LOG.warning("the name '%s' cannot be looked up now: %s", name, error.strerror or error)
        else:
            for gone in attempts.keys() - set(found):
                attempts.pop(gone).cancel()
            for new in found:
                if new not in attempts:
                    attempts[new] = connect(f"{mark}{new}")
        await asyncio.sleep(every.total_seconds())
