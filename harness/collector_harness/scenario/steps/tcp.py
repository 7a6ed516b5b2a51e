"""The step that writes bytes to a node's port, whatever the node makes of them."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import timedelta

from collector_harness.errors import InvalidInput, Problem
from collector_harness.scenario.model import TcpStep
from collector_harness.scenario.steps.base import Answer, Place
from collector_harness.targets import split_address

__all__ = ["tcp"]

_DEFAULT_WITHIN = timedelta(milliseconds=500)
_CONNECTS_WITHIN = 5.0
"""Seconds, as a call has by default: `within` is for what comes back, and a busy machine may take
longer than that to connect."""
_MOST = 1024 * 1024


async def tcp(step: TcpStep, at: Place) -> Answer:
    """Connects, sends, and reads until the node closes, the time is up, or 1 MiB has come."""
    node = at.mesh[at.scope.text(step.node)]
    data = _bytes_of(at.scope.fill(step.send))
    host, port = split_address(node.address, what=f"node '{node.name}'")
    within = at.scope.duration(_DEFAULT_WITHIN if step.within is None else step.within)
    begin = time.perf_counter()
    received = bytearray()
    connected = closed = False
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(_CONNECTS_WITHIN):
            reader, writer = await asyncio.open_connection(host, port)
            connected = True
        async with asyncio.timeout(within.total_seconds()):
            # Read at once: who sends much back would otherwise never take all that is sent.
            sending = asyncio.ensure_future(_send(writer, data))
            try:
                while len(received) < _MOST and (part := await reader.read(65536)):
                    received += part
                closed = len(received) < _MOST
            finally:
                sending.cancel()
    except TimeoutError:
        pass
    except OSError:
        # Refused, or reset: then it is closed all the same.
        closed = connected
    finally:
        if writer is not None:
            writer.transport.abort()
    seconds = time.perf_counter() - begin
    return Answer(
        values={
            "connected": connected,
            "received": bytes(received),
            "text": received.decode(errors="replace"),
            "closed": closed,
            "seconds": seconds,
        },
        route=(node.name,),
        seconds=seconds,
    )


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    # What the node does not want to read is no error: it shows in what comes back.
    with suppress(OSError):
        writer.write(data)
        await writer.drain()


def _bytes_of(value: object) -> bytes:
    match value:
        case None:
            return b""
        case bytes():
            return value
        case str():
            return value.encode("utf-8", "surrogatepass")
        case _:
            raise InvalidInput(
                Problem(
                    message=f"a {type(value).__name__} cannot be sent as it is",
                    hint="send a text, {$base64: ...} or {$bytes: n}",
                )
            )
