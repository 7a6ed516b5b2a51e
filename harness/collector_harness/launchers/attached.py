"""A node that somebody else started: it can be called, and nothing else."""

from __future__ import annotations

import socket
from datetime import timedelta

from collector_harness.errors import EnvironmentLacks
from collector_harness.launchers.base import Launch
from collector_harness.launchers.unlaunched import Unlaunched
from collector_harness.targets import AttachTarget

__all__ = ["AttachedNode"]


class AttachedNode(Unlaunched):
    """A collector that is running already and goes on after the harness has left."""

    def __init__(self, name: str, target: AttachTarget) -> None:
        super().__init__(name)
        self._target = target

    @property
    def address(self) -> str:
        """Where it is."""
        return self._target.address

    @property
    def front(self) -> None:
        """None: it is where it is."""
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

    async def stop(self, grace: timedelta | None) -> None:
        """Leaves it running."""


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
