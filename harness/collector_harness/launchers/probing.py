"""Looking whether a service is ready: its health, its port, or what it answers to HTTP.

Everything here asks the service itself, past its front, once; who asks again is `service`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from collector_harness.client import NodeClient
from collector_harness.client.credentials import ClientCredentials
from collector_harness.launchers.logs import sanitised
from collector_harness.topology.services import Ready

__all__ = ["Probe"]

_LONGEST_LINE = 4096
_PATIENCE = 2.0


class Probe:
    """Asks one service again and again whether it is ready."""

    def __init__(
        self, ready: Ready, host: str, port: int, *, credentials: ClientCredentials, name: str
    ) -> None:
        self._ready = ready
        self._host = host
        self._port = port
        self._place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._credentials = credentials
        self._name = name
        self._client: NodeClient | None = None
        self.last = ""
        """What was seen last, in words."""

    async def is_ready(self) -> bool:
        """Returns whether it is ready now."""
        match self._ready.by:
            case "health" | "answer":
                return await self._is_healthy()
            case "http":
                return await self._answers()
            case _:
                return await self._listens()

    async def close(self) -> None:
        """Closes what was opened for asking."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _is_healthy(self) -> bool:
        if self._client is None:
            if not await self._listens():
                return False
            self._client = NodeClient(self._place, node=self._name, credentials=self._credentials)
        reply = await self._client.health(timeout=_PATIENCE)
        if reply.status == "UNIMPLEMENTED" and self._ready.by == "answer":
            return True
        answer = str(reply.output) if reply.ok else f"{reply.status} {reply.message}"
        self.last = f"its health service answers: {answer}"
        if reply.status == "UNIMPLEMENTED":
            self.last += "; write ready: {port: true} for a service without health"
        return reply.ok and reply.output == {"status": "SERVING"}

    async def _listens(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                _, writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError):
            self.last = f"nothing listens on {self._place}"
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                line = await self._first_line()
        except (OSError, TimeoutError, ValueError, ssl.SSLError) as error:
            if await self._listens():
                self.last = (
                    f"GET {self._ready.what} got no answer: {type(error).__name__} {error}".rstrip()
                )
            return False
        words = line.split()
        shown = sanitised(line.decode("latin-1")).strip()[:200]
        self.last = f"GET {self._ready.what} is answered: {shown or 'nothing'}"
        return len(words) > 1 and words[0].startswith(b"HTTP/") and words[1][:1] == b"2"

    async def _first_line(self) -> bytes:
        context = self._credentials.http_context()
        reader, writer = await asyncio.open_connection(
            self._host, self._port, ssl=context, limit=_LONGEST_LINE
        )
        try:
            token = self._credentials.token
            shown = f"Authorization: Bearer {token}\r\n" if token else ""
            writer.write(
                f"GET {self._ready.what} HTTP/1.1\r\nHost: {self._place}\r\n{shown}"
                "Connection: close\r\n\r\n".encode()
            )
            await writer.drain()
            return await reader.readline()
        finally:
            # Not closed in good order: in TLS that waits for who may never answer.
            writer.transport.abort()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
