"""A node that somebody else started: it can be called, and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem, TargetFailed
from collector_harness.launchers.base import Launch
from collector_harness.targets import AttachTarget

if TYPE_CHECKING:
    from collector_reference import Collector

__all__ = ["AttachedNode"]


class AttachedNode:
    """A collector that is running already and goes on after the harness has left."""

    def __init__(self, name: str, target: AttachTarget) -> None:
        self._name = name
        self._target = target

    @property
    def name(self) -> str:
        """The node's name in the topology; its collector id is its own affair."""
        return self._name

    @property
    def address(self) -> str:
        """Where it is."""
        return self._target.address

    @property
    def front(self) -> None:
        """None: it is where it is."""
        return None

    @property
    def collector(self) -> Collector | None:
        """None: it lives elsewhere."""
        return None

    @property
    def dials(self) -> bool:
        """False: nothing can be told to it."""
        return False

    @property
    def alive(self) -> bool:
        """True, as far as the harness has a say in it."""
        return True

    @property
    def failure(self) -> TargetFailed | None:
        """None: nobody here watches its process."""
        return None

    async def open(self) -> None:
        """Raises `EnvironmentLacks` for an IPv6 address on a machine without IPv6."""
        if ":" in self._target.host and not _has_ipv6():
            raise EnvironmentLacks(
                f"the target {self._target} is an IPv6 address, and this machine has no IPv6; "
                "use an IPv4 address such as 127.0.0.1"
            )

    async def start(self, launch: Launch) -> None:
        """Nothing is started."""

    async def kill(self) -> None:
        """Raises `InvalidInput`."""
        raise _not_ours(self._name, "killed")

    async def move(self, *, keep: Collection[str] = ()) -> None:  # noqa: ARG002
        """Raises `InvalidInput`."""
        raise _not_ours(self._name, "moved")

    async def pause(self) -> None:
        """Raises `InvalidInput`."""
        raise _not_ours(self._name, "paused")

    async def resume(self) -> None:
        """Raises `InvalidInput`."""
        raise _not_ours(self._name, "resumed")

    async def end(self, grace: timedelta | None = None) -> None:  # noqa: ARG002
        """Raises `InvalidInput`."""
        raise _not_ours(self._name, "stopped")

    async def stop(self, grace: timedelta | None) -> None:
        """Leaves it running."""

    def logs(self) -> str:
        """Nothing: its streams are not ours."""
        return ""

    def log_tail(self, count: int = 20) -> str:  # noqa: ARG002
        """Nothing: its streams are not ours."""
        return ""


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _not_ours(name: str, what: str) -> InvalidInput:
    return InvalidInput(
        Problem(
            message=f"node '{name}' cannot be {what}: it was started by somebody else",
            hint="let the harness launch it, by exec:COMMAND",
        )
    )
