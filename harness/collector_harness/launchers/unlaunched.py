"""What everything has in common that somebody else started: it can be called, and outlives us.

Where it is and when it is ready is for those that are made of this.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from collector_harness.errors import InvalidInput, Problem, TargetFailed

if TYPE_CHECKING:
    from collector_reference import Collector

__all__ = ["Unlaunched"]


class Unlaunched:
    """A node or service that runs already and goes on after the harness has left."""

    kind = "node"
    """What messages call it."""
    remedy = "let the harness launch it, by exec:COMMAND"
    """How it becomes one that the harness may end."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """Its name in the topology; what it calls itself is its own affair."""
        return self._name

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

    async def kill(self) -> None:
        """Raises `InvalidInput`."""
        raise self._not_ours("killed")

    async def move(self, *, keep: Collection[str] = ()) -> None:  # noqa: ARG002 - as others have it
        """Raises `InvalidInput`."""
        raise self._not_ours("moved")

    async def pause(self) -> None:
        """Raises `InvalidInput`."""
        raise self._not_ours("paused")

    async def resume(self) -> None:
        """Raises `InvalidInput`."""
        raise self._not_ours("resumed")

    async def end(self, grace: timedelta | None = None) -> None:  # noqa: ARG002 - as others have it
        """Raises `InvalidInput`."""
        raise self._not_ours("stopped")

    def logs(self) -> str:
        """Nothing: its streams are not ours."""
        return ""

    def log_tail(self, count: int = 20) -> str:  # noqa: ARG002 - as others have it
        """Nothing: its streams are not ours."""
        return ""

    def _not_ours(self, what: str) -> InvalidInput:
        return InvalidInput(
            Problem(
                message=f"{self.kind} '{self.name}' cannot be {what}: it was started by "
                "somebody else",
                hint=self.remedy,
            )
        )
