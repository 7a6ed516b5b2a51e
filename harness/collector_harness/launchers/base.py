"""The interface of every way to bring up a node, and what a node is told when it starts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from collector_harness.errors import TargetFailed
from collector_harness.faults.front import Front
from collector_harness.topology.values import Node
from collector_reference.security.values import OwnTokenSettings, TlsSettings, TokenSettings

if TYPE_CHECKING:
    from collector_reference import Collector

__all__ = ["DEFAULT_GRACE", "DEFAULT_READY_LIMIT", "Launch", "NodeSecurity", "RunningNode"]

DEFAULT_READY_LIMIT = timedelta(seconds=10)
"""How long a node may take until it is ready."""

DEFAULT_GRACE = timedelta(seconds=3)
"""How long a process may take to end after SIGTERM, before SIGKILL."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeSecurity:
    """What a node shows and trusts; nothing of it for plaintext without tokens."""

    tls: TlsSettings | None = None
    tokens: TokenSettings | None = None
    own_token: OwnTokenSettings | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """What a node is told when it starts."""

    node: Node
    connect: tuple[str, ...] = ()
    """Addresses that it connects to by itself, tried again until they answer."""
    registry_address: str | None = None
    """The registry that its dispatcher asks; None for its own."""
    security: NodeSecurity = field(default_factory=NodeSecurity)
    """What it shows and trusts."""


class RunningNode(Protocol):
    """One node, from the moment at which its address is known."""

    @property
    def name(self) -> str:
        """The node's name, which is also its collector id."""

    @property
    def address(self) -> str:
        """What others dial. Stays the same over restarts."""

    @property
    def front(self) -> Front | None:
        """The doors to it, where it has some."""

    @property
    def collector(self) -> Collector | None:
        """The collector itself where it lives in this process, else None."""

    @property
    def dials(self) -> bool:
        """Whether it connects by itself to what `Launch.connect` names."""

    @property
    def failure(self) -> TargetFailed | None:
        """Why it is not running any more, where nobody asked it to end."""

    @property
    def alive(self) -> bool:
        """Whether it runs, paused or not."""

    async def open(self) -> None:
        """Makes its address known, where that comes before the start."""

    async def start(self, launch: Launch) -> None:
        """Starts it, and returns when it says that it is ready.

        Raises `TargetFailed`, and leaves nothing running then.
        """

    async def kill(self) -> None:
        """Ends it at once, without a chance to say good-bye; returns when it has ended."""

    async def move(self, *, keep: Collection[str] = ()) -> None:
        """Gives up its address: the next start is at another one. It does not run now. The nodes
        in `keep` go on dialling the doors that are their own.
        """

    async def pause(self) -> None:
        """Stops it from doing anything, its sockets left open."""

    async def resume(self) -> None:
        """Lets it go on after `pause`."""

    async def end(self, grace: timedelta | None = None) -> object:
        """Ends it gracefully; its address stays its own for another start. None for the
        launcher's own grace.
        """

    async def stop(self, grace: timedelta | None) -> None:
        """Ends it for good and frees all that it held; None for the launcher's own grace."""

    def logs(self) -> str:
        """What it wrote so far, escaped for a terminal."""

    def log_tail(self, count: int = 20) -> str:
        """The last lines that it wrote, escaped for a terminal."""
