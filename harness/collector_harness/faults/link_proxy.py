"""A door: a TCP proxy in front of a node, whose address is there before the node and outlives it.

It copies bytes and knows nothing of gRPC. While it leads nowhere, connections are
reset at once, which a gRPC client sees as a refused connection. What disturbs the bytes on
their way is in `flow`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Self, cast

from collector_harness.faults.flow import Flow, Stream

__all__ = ["ConnectionLimit", "LinkProxy", "Side"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_TURNS_TO_END = 8


class Side(Enum):
    """An end of a connection through a door."""

    NEAR = "near"
    """Whoever dialled the door."""
    FAR = "far"
    """What the door leads to."""


class LinkProxy:
    """Listens on a free port of 127.0.0.1, and leads to a place that can be changed."""

    def __init__(self, rng: random.Random | None = None) -> None:
        rng = rng or random.Random(0)
        self.inbound = Flow(rng)
        """The bytes from whoever dials towards what it leads to."""
        self.outbound = Flow(rng)
        """The bytes back."""
        self._server: asyncio.Server | None = None
        self._place: tuple[str, int] | None = None
        self._pipes: dict[_Pipe, None] = {}  # the oldest first
        self._address = ""
        self._refusals = 0
        self._limits: list[ConnectionLimit] = []
        self._half_open: list[Side] = []

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`, once it is open."""
        return self._address

    @property
    def connections(self) -> int:
        """How many connections lead through it now."""
        return len(self._pipes)

    async def open(self) -> Self:
        """Binds its port; connections are reset until `lead_to` is called."""
        self._server = await self._listening()
        host, port = self._server.sockets[0].getsockname()
        self._address = f"{host}:{port}"
        return self

    async def move(self) -> None:
        """Binds another port, and closes the one that it had."""
        before, self._server = self._server, await self._listening()
        if before is not None:
            before.close()
            self.cut()
        host, port = self._server.sockets[0].getsockname()
        self._address = f"{host}:{port}"

    async def _listening(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: _Pipe(self), "127.0.0.1", 0, backlog=512)

    def lead_to(self, host: str, port: int) -> None:
        """From now on, new connections go there."""
        self._place = (host, port)

    def lead_nowhere(self) -> None:
        """Resets what is connected, and from now on what connects."""
        self._place = None
        self.cut()

    def cut(self) -> None:
        """Resets every connection; new ones are taken as before."""
        for pipe in list(self._pipes):
            pipe.reset()

    # Disturbances of connections as a whole. Each is undone by its counterpart, given the same.

    def refuse(self) -> None:
        """Resets what is connected, and what connects from now on."""
        self._refusals += 1
        self.cut()

    def admit(self) -> None:
        """Undoes one `refuse`."""
        self._refusals -= 1

    def limit(self, limit: ConnectionLimit) -> None:
        """Keeps the oldest connections, and resets others and what connects beyond."""
        self._limits.append(limit)
        limit.keep_oldest()

    def unlimit(self, limit: ConnectionLimit) -> None:
        """Undoes one `limit`."""
        self._limits.remove(limit)

    def half_open(self, closed: Side) -> None:
        """Closes this side of every connection and leaves the other untold, also of new ones."""
        self._half_open.append(closed)
        for pipe in list(self._pipes):
            pipe.close_side(closed)

    def whole(self, closed: Side) -> None:
        """Undoes one `half_open`."""
        self._half_open.remove(closed)
        self.mend()

    def mend(self) -> int:
        """Resets the connections that bytes were lost or changed on, as they cannot go on.

        Returns how many there were.
        """
        spoilt = [pipe for pipe in self._pipes if pipe.spoilt]
        for pipe in spoilt:
            pipe.reset()
        return len(spoilt)

    async def close(self) -> None:
        """Closes the port and resets every connection. Safe to call again."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self.lead_nowhere()
            # What the kernel had accepted is handed over, refused and ended in the next few turns
            # of the loop, and aborted transports end there too.
            for _ in range(_TURNS_TO_END):
                await asyncio.sleep(0)

    # For its connections

    def admission(self, pipe: _Pipe) -> tuple[str, int] | Side | None:
        """Counts a new connection in; returns where it leads, the side that is closed where it
        is half open from the start, or None where it is reset.
        """
        self._pipes[pipe] = None
        full = any(limit.exceeded for limit in self._limits)
        if self._place is None or self._refusals or full:
            return None
        return self._half_open[-1] if self._half_open else self._place

    def forget(self, pipe: _Pipe) -> None:
        """Counts a connection out."""
        self._pipes.pop(pipe, None)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ConnectionLimit:
    """The most connections that some doors take together."""

    most: int
    doors: tuple[LinkProxy, ...]

    @property
    def exceeded(self) -> bool:
        """Whether there are more."""
        return sum(door.connections for door in self.doors) > self.most

    def keep_oldest(self) -> None:
        """Resets all connections but the oldest."""
        pipes = [pipe for door in self.doors for pipe in door._pipes]
        for pipe in sorted(pipes, key=lambda pipe: pipe.number)[self.most :]:
            pipe.reset()


_numbers = itertools.count()


class _Pipe(asyncio.Protocol):
    """One accepted connection, and the one that it is copied to."""

    def __init__(self, door: LinkProxy) -> None:
        self.number = next(_numbers)
        """In the order in which connections were taken, through any door."""
        self._door = door
        self._near: asyncio.Transport | None = None
        self._far: asyncio.Transport | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._left = 2
        """How many of the two directions have not ended in good order."""
        self._over = False
        """Whether one of the two connections is over, in good order."""
        self._untold: Side | None = None
        """The side that is open although the other one is closed."""
        self.spoilt = False
        """Whether bytes were lost or changed on it."""
        self.inbound = Stream(
            door.inbound, spoilt=self._spoil, ended=lambda: self._end_direction(to=self._far)
        )
        self.outbound = Stream(
            door.outbound, spoilt=self._spoil, ended=lambda: self._end_direction(to=self._near)
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._near = self.inbound.source = self.outbound.target = cast(asyncio.Transport, transport)
        admission = self._door.admission(self)
        if admission is None or admission is Side.NEAR:
            self.reset()
        elif admission is Side.FAR:
            self._untold = Side.NEAR
            self.spoilt = True
        elif isinstance(admission, tuple):
            # Nothing is read before there is somewhere to write it.
            self._near.pause_reading()
            self._dialling = asyncio.get_running_loop().create_task(self._dial(*admission))

    def data_received(self, data: bytes) -> None:
        if self._untold is None:
            self.inbound.feed(data)

    def eof_received(self) -> bool:
        if self._untold is None:
            self.inbound.end()
        return True

    def pause_writing(self) -> None:
        self.outbound.congested(now=True)

    def resume_writing(self) -> None:
        self.outbound.congested(now=False)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.lost(Side.NEAR)

    def lost(self, side: Side) -> None:
        """One of the two connections is over."""
        if self._untold not in (None, side):
            return
        other = self._far if side is Side.NEAR else self._near
        if other is None or not other.is_closing():
            self.reset()
        elif self._over:
            self._door.forget(self)
        # One that is closing still has something to send.
        self._over = True

    def close_side(self, closed: Side) -> None:
        """Closes one side, and does not tell the other."""
        if self._far is None and closed is Side.FAR and self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
            if self._near is not None:
                self._near.resume_reading()
        self._untold = Side.NEAR if closed is Side.FAR else Side.FAR
        self.spoilt = True
        transport = self._near if closed is Side.NEAR else self._far
        if transport is not None:
            transport.close()
        left = self._far if closed is Side.NEAR else self._near
        if left is None:
            self.reset()

    def reset(self) -> None:
        """Ends both connections at once."""
        self._door.forget(self)
        self.inbound.close()
        self.outbound.close()
        if self._dialling is not None:
            self._dialling.cancel()
        for transport in (self._near, self._far):
            if transport is not None:
                _reset(transport)

    def _spoil(self) -> None:
        self.spoilt = True

    def _end_direction(self, *, to: asyncio.Transport | None) -> None:
        """Passes the end of one direction on; the other one may still carry bytes."""
        self._left -= 1
        if self._left == 0:
            for transport in (self._near, self._far):
                if transport is not None:
                    transport.close()
        elif to is not None and not to.is_closing():
            to.write_eof()

    async def _dial(self, host: str, port: int) -> None:
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: _FarEnd(self), host, port
            )
        except OSError:
            self._dialling = None
            self.reset()
            return
        self._dialling = None
        self._far = self.inbound.target = self.outbound.source = transport
        if self._near is None or self._near.is_closing():
            self.reset()
        else:
            self._near.resume_reading()


class _FarEnd(asyncio.Protocol):
    """The connection to the node."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe

    def data_received(self, data: bytes) -> None:
        self._pipe.outbound.feed(data)

    def eof_received(self) -> bool:
        self._pipe.outbound.end()
        return True

    def pause_writing(self) -> None:
        self._pipe.inbound.congested(now=True)

    def resume_writing(self) -> None:
        self._pipe.inbound.congested(now=False)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._pipe.lost(Side.FAR)


def _reset(transport: asyncio.Transport) -> None:
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    # Also one that is closing: what it still has to send may never be taken.
    transport.abort()
