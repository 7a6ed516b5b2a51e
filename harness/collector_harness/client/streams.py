"""One call of any kind, message by message, as a script makes it.

On the wire the four kinds of RPC differ only in how many messages there are, so that one kind
of call makes them all, and a server can be sent what its kind forbids. Every outcome is a value.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from collector_harness.client.decoding import from_message, json_values
from collector_harness.client.dialects import DialectName, request_bytes
from collector_harness.client.methods import request_message
from collector_harness.client.pools import TypePool
from collector_harness.client.reply import (
    UNDECODABLE,
    Metadata,
    Received,
    Reply,
    grpc_reply,
    of_contract,
)
from collector_harness.client.transport import (
    MetadataInput,
    Transport,
    checked_metadata,
    code_at_the_end,
)

__all__ = ["MOST_BYTES", "MOST_MESSAGES", "StreamCall"]

MOST_MESSAGES = 10_000
"""Messages that are taken of one call."""
MOST_BYTES = 64 * 1024 * 1024
"""Bytes of all messages together that are."""

_MOST_SHOWN = 100
_OVER: Any = object()


class StreamCall:
    """A call that is open. Made and used on one loop, and closed there."""

    def __init__(
        self,
        transport: Transport,
        method: MethodDescriptor,
        *,
        node: str,
        path: str,
        types: TypePool | None,
        metadata: MetadataInput = (),
        timeout: float | None,
        dialect: DialectName = "native",
    ) -> None:
        """`timeout` is the deadline of the whole call, in seconds."""
        self._method = method
        self._node = node
        self._path = path
        self._dialect: DialectName = dialect
        self._types = types
        self._begin = time.perf_counter()
        self._timeout = timeout
        self._kind: type[Message] = GetMessageClass(method.output_type)
        call: grpc.aio.StreamStreamMultiCallable[bytes, bytes]
        call = transport.channel.stream_stream(path)
        self._call: Any = call(
            timeout=timeout, metadata=transport.with_token(checked_metadata(metadata))
        )
        self._closed = False
        self._size = 0
        self._sent: list[object] = []
        self._cut_off = ""
        self._undecodable = ""
        self.messages: list[object] = []
        """What was received so far, as plain values."""

    async def send(self, message: object) -> bool:
        """Sends a message in protobuf's JSON form, or raw bytes; returns False where the call is
        over. Raises `InvalidInput` for what does not fit the method.
        """
        body = (
            message
            if isinstance(message, bytes)
            else request_bytes(self._path, request_message(self._method, message), self._dialect)
        )
        if len(self._sent) < _MOST_SHOWN:
            self._sent.append(json_values(message))
        return await _unless_over(self._call.write(body)) is not _OVER

    async def half_close(self) -> None:
        """Tells that nothing more is sent; a second time does nothing."""
        if not self._closed:
            self._closed = True
            await _unless_over(self._call.done_writing())

    async def receive(self) -> bool:
        """Waits for the next message, which goes to `messages`; returns False where the call is
        over instead. A call of too much is cancelled.
        """
        body = await _unless_over(self._call.read())
        if body is _OVER or body is grpc.aio.EOF:
            return False
        self._size += len(body)
        if len(self.messages) >= MOST_MESSAGES or self._size > MOST_BYTES:
            self._cut_off = f"the harness stopped reading after {len(self.messages)} messages"
            self._call.cancel()
            return False
        try:
            values = from_message(self._kind.FromString(body), types=self._types)
        except Exception as error:  # noqa: BLE001 - whatever protobuf says of hostile bytes
            name = self._kind.DESCRIPTOR.full_name
            told = f"message {len(self.messages)} is not a {name}: {error}"
            self._undecodable = of_contract(told)
            values = {"$undecodable": len(body)}
        self.messages.append(json_values(values))
        return True

    async def headers(self) -> dict[str, list[str | bytes]]:
        """Waits for the initial metadata; empty where the call is over without any."""
        metadata = await _unless_over(self._call.initial_metadata())
        grouped: dict[str, list[str | bytes]] = {}
        for key, value in _pairs(metadata):
            grouped.setdefault(key, []).append(value)
        return grouped

    def cancel(self) -> None:
        """Cancels the call; nothing where it is over."""
        self._call.cancel()

    async def finish(self) -> Reply:
        """Reads what is left, and returns how the call ended; `output` is all messages."""
        await self.half_close()
        while await self.receive():
            pass
        code: int = (await self._call.code()).value[0]
        seconds = time.perf_counter() - self._begin
        end = Received(
            code=code_at_the_end(code, seconds=seconds, timeout=self._timeout),
            message=await self._call.details() or "",
            body=None,
            headers=_pairs(await _unless_over(self._call.initial_metadata())),
            trailers=_pairs(await _unless_over(self._call.trailing_metadata())),
            seconds=seconds,
        )
        status = message = None
        if self._cut_off:
            status, message = "RESOURCE_EXHAUSTED", self._cut_off
        elif self._undecodable and end.code == 0:
            status, message = UNDECODABLE, self._undecodable
        return grpc_reply(
            end,
            node=self._node,
            rpc=self._path,
            request=list(self._sent),
            status=status,
            message=message,
            output=self.messages,
            response=self.messages,
        )


async def _unless_over(work: Awaitable[Any]) -> Any:
    """Returns what is waited for, or `_OVER` where the call is over."""
    try:
        return await work
    except (
        grpc.aio.AioRpcError,
        grpc.aio.UsageError,
        grpc.aio.InternalError,
        asyncio.InvalidStateError,
    ):
        return _OVER
    except asyncio.CancelledError:
        # gRPC raises it where the call was cancelled, too: that is no reason to stop ourselves.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return _OVER


def _pairs(metadata: Any) -> Metadata:
    if metadata is None or metadata is _OVER:
        return ()
    return tuple((key, value) for key, value in metadata)
