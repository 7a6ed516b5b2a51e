"""What a collector under test says of itself: which optional things it can, and how far it goes.

Both lists are closed, so that a misspelt name is an error and not a requirement that nobody can
meet. What is observed of a collector, and what follows from a difference, is `conformance`'s.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from types import MappingProxyType
from typing import Final

__all__ = [
    "CAPABILITIES",
    "DEFAULT_LIMITS",
    "LIMITS",
    "NOTHING_DECLARED",
    "Declaration",
    "Limits",
]

CAPABILITIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "probe": "carries the probe service where it is told to",
        "reflection": "offers server reflection, v1 or v1alpha",
        "channelz": "offers grpc.channelz.v1 on its port",
        "tls": "serves and dials with TLS when it is given certificates",
        "mtls": "demands client certificates when it is told to",
        "tokens": "demands bearer tokens when it is given keys",
        "authorization": "refuses who may not do something, by rules of its own or of a file",
        "persistence": "keeps registrations over a restart when it is told where",
        "remote-registry": "asks the registry at another address when it is given one",
        "validation-off": "can be told not to validate",
        "dialect-accretional": "speaks the accretional dialect of ConnectRequest when told to",
        "own-sockets": "is a process whose sockets the harness can look at: seen, not declared",
    }
)
"""What a collector may be able to do beside the protocol's core, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How far a collector goes. Cases ask by `${limit.NAME}`, so that each is measured by its own.

    The defaults are those of the protocol.
    """

    cache_life: timedelta = timedelta(seconds=10)
    """The time within which a registration takes effect (VAL-010)."""
    message_size: int = 4 * 1024 * 1024
    """The largest message that it accepts, in bytes (FLT-004)."""
    connections: int = 10_000
    """The most peers that it is connected with (SEC-003)."""
    forward: timedelta = timedelta(seconds=20)
    """The time within which a call to a peer that does not answer has ended (FLT-006)."""
    ready: timedelta = timedelta(seconds=5)
    """The time within which it is ready or has given up (LOOP-003)."""
    grace: timedelta = timedelta(seconds=10)
    """The time within which it has stopped (OPS-003)."""

    def as_values(self) -> Mapping[str, object]:
        """Returns what `${limit.NAME}` leads to: numbers, and durations as text such as `10s`."""
        return _values_of(self)


@functools.lru_cache(maxsize=16)  # asked for by every case
def _values_of(limits: Limits) -> Mapping[str, object]:
    return MappingProxyType({name: _written(getattr(limits, name)) for name in LIMITS})


def _written(value: int | timedelta) -> object:
    if isinstance(value, int):
        return value
    milliseconds = round(value / timedelta(milliseconds=1))
    whole, rest = divmod(milliseconds, 1000)
    return f"{milliseconds}ms" if rest else f"{whole}s"


LIMITS: Final = tuple(each.name for each in fields(Limits))
"""The names of all limits."""
DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """What the author of a collector says of it."""

    limits: Limits = DEFAULT_LIMITS
    capabilities: frozenset[str] | None = None
    """Of `CAPABILITIES`, all that it has; None where nothing is said, so that only what it shows
    counts."""


NOTHING_DECLARED: Final = Declaration()
