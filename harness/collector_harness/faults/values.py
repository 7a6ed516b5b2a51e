"""What can be broken, as frozen values. How they are written in a scenario is its grammar's
matter; how they are done, `mesh.breaking`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

__all__ = [
    "FAILURES",
    "Direction",
    "Disturb",
    "Fault",
    "Kill",
    "Kind",
    "Partition",
    "Pause",
    "Place",
    "Restart",
    "RpcFault",
    "place_of",
]

FAILURES = (
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""The statuses that an RPC can fail with."""

Direction = Literal["both", "forth", "back"]
"""Which way: forth is from a link's left to its right, or towards a node."""

Place: TypeAlias = "str | tuple[str, str]"
"""A node, or the two ends of a link, the left one first."""

Kind = Literal[
    "latency", "bandwidth", "reset", "blackhole", "half_open", "corrupt", "connection_limit"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    """A node ends at once; it is started again on its address."""

    node: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """A node stands still, its connections open; it goes on where it was."""

    node: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Restart:
    """A node is stopped and started again before anything else is done."""

    node: str
    moved: bool = False
    """Whether it comes back at another address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """What nodes of different groups send each other over their links vanishes."""

    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Disturb:
    """The bytes or connections of a link, or of everything that a node is reached by, are
    disturbed.
    """

    kind: Kind
    place: Place
    direction: Direction = "both"
    delay: timedelta = timedelta()
    """For latency."""
    jitter: timedelta = timedelta()
    """For latency: how much shorter or longer, at random."""
    bytes_per_second: int = 0
    """For bandwidth."""
    probability: float = 1.0
    """For corrupt: of how many of the packets one byte is changed."""
    connections: int = 0
    """For connection_limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RpcFault:
    """An RPC of a reference node in process fails, or is late."""

    node: str
    rpc: str
    """`package.Service/Method`, or `package.Service/*`."""
    status: str | None = None
    """The canonical name of the status that it fails with; without it and `drop_after`, it is
    only late."""
    message: str = ""
    delay: timedelta = timedelta()
    drop_after: int | None = None
    """After how many messages its stream ends with that status, or UNAVAILABLE."""


Fault = Kill | Pause | Restart | Partition | Disturb | RpcFault
"""One fault."""


def place_of(text: str) -> Place:
    """Returns the node or link that a text such as `a` or `hub -> a` names."""
    left, arrow, right = text.partition("->")
    return (left.strip(), right.strip()) if arrow else left.strip()
