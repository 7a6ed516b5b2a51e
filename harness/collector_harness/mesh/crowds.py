"""What the harness has registered by the thousand in the nodes of one mesh, so that cases which
share the mesh register it once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from collector_harness.client import Reply

__all__ = ["Crowds"]

Register = Callable[[int], Awaitable[Reply]]
"""Registers the services from that number on, and returns the last answer, or the first bad one."""


@dataclass(slots=True)
class _Crowd:
    count: int = 0
    """How many services there are, from the first on."""
    reply: Reply | None = None
    """The answer to the last of them."""
    registering: asyncio.Lock = field(default_factory=asyncio.Lock)


class Crowds:
    """The crowds of one mesh, by node and namespace."""

    def __init__(self) -> None:
        self._crowds: dict[tuple[str, str], _Crowd] = {}

    async def grow(self, node: str, namespace: str, count: int, register: Register) -> Reply:
        """Sees to it that there are so many services, and returns the answer to the last of them.

        What another case registers just now is waited for. After a bad answer, which is returned,
        nobody knows how many there are, and who asks next begins where this one began.
        """
        crowd = self._crowds.setdefault((node, namespace), _Crowd())
        async with crowd.registering:
            if crowd.reply is not None and count <= crowd.count:
                return crowd.reply
            reply = await register(crowd.count + 1)
            if reply.ok:
                crowd.count, crowd.reply = count, reply
            return reply

    def forget(self, node: str | None = None) -> None:
        """Knows nothing any more of that node, or of all: it was started anew, or put back."""
        for key in list(self._crowds):
            if node in (None, key[0]):
                del self._crowds[key]
