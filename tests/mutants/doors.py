"""Collectors with a door of their own before the port, and something wrong with the door."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from collector_reference.server import Collector

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TLS_HANDSHAKE = b"\x16"


class Doorman(Collector):
    """Sees how a connection begins before it is let in."""

    _door = None

    async def start(self):
        await super().start()
        self._leads_to = super().address
        self._inside = set()
        self._door = await asyncio.start_server(self._enter, "127.0.0.1", 0)

    @property
    def address(self):
        if self._door is None:
            return super().address
        return f"127.0.0.1:{self._door.sockets[0].getsockname()[1]}"

    async def stop(self, grace=None):
        if self._door is not None:
            self._door.close()
        await super().stop(grace)

    def _choose(self, first):
        """Returns where a connection leads that begins with these bytes; None for nowhere."""
        raise NotImplementedError

    async def _enter(self, reader, writer):
        first = await reader.read(len(PREFACE))
        address = self._choose(first)
        if address is None:
            writer.close()
            return
        host, _, port = address.rpartition(":")
        theirs, ours = await asyncio.open_connection(host, int(port))
        ours.write(first)
        self._inside |= {writer, ours}
        await asyncio.gather(_pump(reader, ours), _pump(theirs, writer))
        self._inside -= {writer, ours}


async def _pump(reader, writer):
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    writer.close()


class Touchy(Doorman):
    """Wants to see nobody any more once somebody was rude."""

    def _choose(self, first):
        if first and PREFACE.startswith(first):
            return self._leads_to
        self._door.close()
        for writer in self._inside:
            writer.close()
        return None


class TwoFaced(Doorman):
    """Speaks TLS with those who do, and plaintext with those who do not; a door only where it is
    to speak TLS.
    """

    _plain = None

    async def start(self):
        if self.settings.tls is None:
            await Collector.start(self)
            return
        await super().start()
        self._plain = Collector(
            replace(self.settings, tls=None, listen="127.0.0.1:0", advertise=None, connect=())
        )
        await self._plain.start()

    async def stop(self, grace=None):
        if self._plain is not None:
            await self._plain.stop(grace)
        await super().stop(grace)

    def _choose(self, first):
        return self._leads_to if first.startswith(TLS_HANDSHAKE) else self._plain.address
