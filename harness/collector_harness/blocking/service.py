"""One service of a running mesh, for plain test functions."""

from __future__ import annotations

from collector_harness.blocking.node import BlockingNode

__all__ = ["BlockingService"]


class BlockingService(BlockingNode):
    """One service of a running mesh: called by name, and broken as a node is."""

    @property
    def database_url(self) -> str:
        """The URL of its database; raises `InvalidInput` where it has none."""
        return self._node.database_url

    def __repr__(self) -> str:
        return f"<service {self.name!r} at {self.url}>"
