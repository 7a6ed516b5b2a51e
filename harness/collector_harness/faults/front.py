"""All doors to one node: one for everybody, and where faults need it one for each who dials it.

Each door has an address of its own, so who dials through it is known, and one link can be
broken without the others. What leads where is decided by the node's launcher.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterable, Iterator
from typing import Self

from collector_harness.faults.link_proxy import LinkProxy

__all__ = ["Front"]


class Front:
    """The doors to a node."""

    def __init__(
        self,
        diallers: Iterable[str] = (),
        *,
        private: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        """`diallers` are the nodes that get a door of their own; `private` gives the harness one,
        so that its calls are not disturbed when a link is.
        """
        self._rng = rng or random.Random(0)
        self.public = LinkProxy(self._rng)
        """The door whose address everybody may know."""
        self._private = LinkProxy(self._rng) if private else self.public
        self._own = {name: LinkProxy(self._rng) for name in diallers}

    def __iter__(self) -> Iterator[LinkProxy]:
        """Yields every door once."""
        yield self.public
        if self._private is not self.public:
            yield self._private
        yield from self._own.values()

    def of_others(self) -> Iterator[LinkProxy]:
        """Yields every door but the one that is the harness's own."""
        yield self.public
        yield from self._own.values()

    @property
    def address(self) -> str:
        """The address of the door for everybody."""
        return self.public.address

    @property
    def private_address(self) -> str:
        """The address that the harness dials."""
        return self._private.address

    def door_for(self, dialler: str) -> LinkProxy | None:
        """Returns the door that is a node's own, or None where it has none."""
        return self._own.get(dialler)

    async def open(self) -> Self:
        """Binds every door."""
        await asyncio.gather(*(door.open() for door in self))
        return self

    async def move(self, *, keep: Collection[str] = ()) -> None:
        """Binds doors anew, each at another address, and closes the old ones. Doors that are the
        own ones of the nodes in `keep` stay where they are.
        """
        kept = [self._own[name] for name in keep if name in self._own]
        await asyncio.gather(*(door.move() for door in self if door not in kept))

    def lead_to(self, host: str, port: int) -> None:
        """From now on, new connections go there."""
        for door in self:
            door.lead_to(host, port)

    def lead_nowhere(self) -> None:
        """Resets what is connected, and from now on what connects."""
        for door in self:
            door.lead_nowhere()

    async def close(self) -> None:
        """Closes every door. Safe to call again."""
        await asyncio.gather(*(door.close() for door in self))
