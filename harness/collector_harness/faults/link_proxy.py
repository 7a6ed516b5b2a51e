"""A TCP proxy in front of a node: an address that exists before the node does and outlives it.

It copies bytes and knows nothing of gRPC. While it leads nowhere, connections are
reset at once, which a gRPC client sees as a refused connection.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Self, cast

__all__ = ["LinkProxy"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class LinkProxy:
    """Listens on a free port of 127.0.0.1, and leads to a place that can be changed."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._place: tuple[str, int] | None = None
        self._pipes: set[_Pipe] = set()
        self._address = ""

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
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Pipe(self._pipes, self._place), "127.0.0.1", 0, backlog=512
        )
        host, port = self._server.sockets[0].getsockname()
        self._address = f"{host}:{port}"
        return self

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

    async def close(self) -> None:
        """Closes the port and resets every connection. Safe to call again."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self.lead_nowhere()
            # Aborted transports hand over their end in the next turn of the loop.
            await asyncio.sleep(0)


class _Pipe(asyncio.Protocol):
    """One accepted connection, and the one that it is copied to."""

    def __init__(self, pipes: set[_Pipe], place: tuple[str, int] | None) -> None:
        self._pipes = pipes
        self._place = place
        self._near: asyncio.Transport | None = None
        self._far: asyncio.Transport | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._ended = 0
        """How many of the two directions have ended in good order."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._near = cast(asyncio.Transport, transport)
        self._pipes.add(self)
        if self._place is None:
            self.reset()
            return
        # Nothing is read before there is somewhere to write it.
        self._near.pause_reading()
        self._dialling = asyncio.get_running_loop().create_task(self._dial(*self._place))

    def data_received(self, data: bytes) -> None:
        if self._far is not None:
            self._far.write(data)

    def eof_received(self) -> bool:
        self.end_direction(to=self._far)
        return True

    def pause_writing(self) -> None:
        if self._far is not None:
            self._far.pause_reading()

    def resume_writing(self) -> None:
        if self._far is not None:
            self._far.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.reset()

    def end_direction(self, *, to: asyncio.Transport | None) -> None:
        """Passes the end of one direction on; the other one may still carry bytes."""
        self._ended += 1
        if self._ended == 2:
            for transport in (self._near, self._far):
                if transport is not None:
                    transport.close()
        elif to is not None and not to.is_closing():
            to.write_eof()

    def reset(self) -> None:
        """Ends both connections at once."""
        self._pipes.discard(self)
        if self._dialling is not None:
            self._dialling.cancel()
        for transport in (self._near, self._far):
            if transport is not None and not transport.is_closing():
                _reset(transport)

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
        self._far = transport
        if self._near is None or self._near.is_closing():
            self.reset()
        else:
            self._near.resume_reading()

    @property
    def near(self) -> asyncio.Transport | None:
        """The connection of whoever dialled the proxy."""
        return self._near


class _FarEnd(asyncio.Protocol):
    """The connection to the node."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe

    def data_received(self, data: bytes) -> None:
        if self._pipe.near is not None:
            self._pipe.near.write(data)

    def eof_received(self) -> bool:
        self._pipe.end_direction(to=self._pipe.near)
        return True

    def pause_writing(self) -> None:
        if self._pipe.near is not None:
            self._pipe.near.pause_reading()

    def resume_writing(self) -> None:
        if self._pipe.near is not None:
            self._pipe.near.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._pipe.reset()


def _reset(transport: asyncio.Transport) -> None:
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
