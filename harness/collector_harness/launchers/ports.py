"""Ports for programs that have to be told one.

A port that the system chose and that was let go again may be taken before the program listens: by
anything that connects to anywhere, or by another harness. So these are from below the range that
systems choose from, and while one is reserved no other harness of this machine is given it.
"""

from __future__ import annotations

import contextlib
import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from collector_harness.errors import EnvironmentLacks

__all__ = ["is_taken", "reserved_port"]

_HOST = "127.0.0.1"
_LOWEST = 20_000
_FEWEST = 10_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST_OF_SYSTEMS = 32_768
"""Where the ports begin that systems choose from, unless this one tells otherwise."""
_TRIES = 200

# Not the shared one, which tests seed: two processes of equal seed would choose alike.
_random = random.SystemRandom()


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Yields a port of 127.0.0.1 on which nobody listens, and which is no other harness's while
    the block runs. Leave it once the program listens. Raises `EnvironmentLacks`.
    """
    beyond = max(_first_of_systems(), _LOWEST + _FEWEST)
    for _ in range(_TRIES):
        port = _random.randrange(_LOWEST, beyond)
        with _claimed(port) as ours:
            if ours and not is_taken(port):
                yield port
                return
    raise EnvironmentLacks(
        f"none of {_TRIES} ports from {_LOWEST} to {beyond - 1} is free: end what listens on them"
    )


def is_taken(port: int) -> bool:
    """Tells whether somebody listens on a port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return True
    return False


@contextlib.contextmanager
def _claimed(port: int) -> Iterator[bool]:
    """Yields whether nobody else means to use the port. What tells is a socket by name, which is
    gone with its process; other systems than Linux have none.
    """
    if sys.platform != "linux":
        yield True
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
        try:
            claim.bind(f"\0collector-harness-port-{port}")
            ours = True
        except OSError:
            ours = False
        yield ours


def _first_of_systems() -> int:
    try:
        return int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _FIRST_OF_SYSTEMS
