# ruff: noqa: ASYNC109 - a deadline goes over the wire; asyncio.timeout does not
"""Calls over one channel with bytes in and bytes out; every outcome is a value.

What the bytes mean is in `reply`; which calls there are, in `node_client`.
"""

from __future__ import annotations

import asyncio
import copy
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Self

import grpc
import grpc.aio

from collector_harness.client.credentials import PLAINTEXT, ClientCredentials
from collector_harness.client.reply import Metadata, Received
from collector_harness.errors import InvalidInput, Problem

__all__ = [
    "RECEIVE_LIMIT",
    "MetadataInput",
    "Transport",
    "checked_metadata",
    "code_at_the_end",
]

RECEIVE_LIMIT = 64 * 1024 * 1024
"""Bytes of the largest message that the harness takes."""

_MOST_STREAMED = 10_000
_CANCELLED = grpc.StatusCode.CANCELLED.value[0]
_DEADLINE_EXCEEDED = grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]
_CLOCKS_DIFFER_SECONDS = 0.02
"""How far a server's clock may be ahead within the time of one call."""
_KEY = re.compile(r"[0-9a-z_.-]+")
_OPTIONS: list[tuple[str, int]] = [
    # Without it, channels of one process to one address silently share a connection.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", RECEIVE_LIMIT),
    # What is too large is for the node to refuse.
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    # Nodes are restarted on their address: look soon whether they are back.
    ("grpc.initial_reconnect_backoff_ms", 50),
    # How long a connection may take, by its odd name: on a busy machine one that is taken at once
    # may be greeted late. Who refuses it is seen at once all the same.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.max_reconnect_backoff_ms", 1000),
]

MetadataInput = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]


class Transport:
    """One channel to one address. Made and used on one loop."""

    def __init__(self, address: str, credentials: ClientCredentials = PLAINTEXT) -> None:
        self._address = address
        self._credentials = credentials
        shown = credentials.channel_credentials()
        self.channel = (
            grpc.aio.insecure_channel(address, options=_OPTIONS)
            if shown is None
            else grpc.aio.secure_channel(address, shown, options=_secure_options(credentials))
        )
        self._answered = False
        """Whether anything ever came back: then both sides understand each other."""
        self._give_up: float | None = None
        self._unary: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}

    def giving_up(self, seconds: float) -> Self:
        """Returns this transport for a caller that cancels each unary call after so long."""
        impatient = copy.copy(self)
        impatient._give_up = seconds
        return impatient

    async def unary(
        self, path: str, request: bytes, *, timeout: float | None, metadata: Metadata
    ) -> Received:
        """Makes a unary call. Only cancellation from outside is raised."""
        method = self._unary.get(path)
        if method is None:
            method = self._unary[path] = self.channel.unary_unary(path)
        begin = time.perf_counter()
        call = method(request, timeout=timeout, metadata=self.with_token(metadata))
        cancel = None
        if self._give_up is not None:
            cancel = asyncio.get_running_loop().call_later(self._give_up, call.cancel)
        try:
            body: bytes = await call
            seconds = time.perf_counter() - begin
            self._answered = True
            return Received(
                code=0,
                message="",
                body=body,
                headers=await call.initial_metadata(),
                trailers=await call.trailing_metadata(),
                seconds=seconds,
            )
        except grpc.aio.AioRpcError as error:
            return await self._explained(_failure(error, begin, timeout))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if cancel is None or (task is not None and task.cancelling()):
                raise
            return _cancelled(begin)
        finally:
            if cancel is not None:
                cancel.cancel()

    async def _explained(self, failure: Received) -> Received:
        """Adds that one side speaks TLS and the other does not, where that is why."""
        if failure.code != _UNAVAILABLE:
            self._answered = True
        if self._answered:
            return failure
        reason = await self._credentials.why_unreachable(self._address, seconds=2.0)
        if reason is None:
            return failure
        return replace(failure, message=f"{reason} ({failure.message})")

    def with_token(self, metadata: Metadata) -> Metadata:
        """Returns the metadata with the client's token, unless it holds another."""
        token = self._credentials.token
        if token is None or any(key == "authorization" for key, _ in metadata):
            return metadata
        return (*metadata, ("authorization", f"Bearer {token}"))

    async def server_stream(
        self, path: str, request: bytes, *, timeout: float | None, metadata: Metadata
    ) -> tuple[Received, list[bytes]]:
        """Makes a call that is answered by a stream; returns its end, with an empty body where
        it is gRPC OK, and all messages that came before.
        """
        begin = time.perf_counter()
        method: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self.channel.unary_stream(path)
        call = method(request, timeout=timeout, metadata=self.with_token(metadata))
        messages: list[bytes] = []
        size = 0
        try:
            async for message in call:
                messages.append(message)
                size += len(message)
                if len(messages) > _MOST_STREAMED or size > RECEIVE_LIMIT:
                    call.cancel()
                    return _cut_off(begin, len(messages)), messages
            return (
                Received(
                    code=0,
                    message="",
                    body=b"",
                    headers=await call.initial_metadata(),
                    trailers=await call.trailing_metadata(),
                    seconds=time.perf_counter() - begin,
                ),
                messages,
            )
        except grpc.aio.AioRpcError as error:
            return _failure(error, begin, timeout), messages
        finally:
            call.cancel()

    async def close(self) -> None:
        """Closes the channel; calls that are in flight end with CANCELLED."""
        await self.channel.close()


def _secure_options(credentials: ClientCredentials) -> list[tuple[str, int | str]]:
    if credentials.server_name is None:
        return [*_OPTIONS]
    return [*_OPTIONS, ("grpc.ssl_target_name_override", credentials.server_name)]


def checked_metadata(metadata: MetadataInput) -> Metadata:
    """Returns metadata as gRPC takes it; raises `InvalidInput` for what it would not send."""
    pairs = metadata.items() if isinstance(metadata, Mapping) else metadata
    checked: list[tuple[str, str | bytes]] = []
    for key, value in pairs:
        if not isinstance(key, str) or not _KEY.fullmatch(key) or key.startswith("grpc-"):
            raise InvalidInput(
                Problem(
                    message=f"{key!r} is not a metadata key",
                    hint="use lower case letters, digits, '-', '_' and '.'; "
                    "keys that begin with 'grpc-' are gRPC's own",
                )
            )
        if key.endswith("-bin"):
            checked.append((key, value.encode() if isinstance(value, str) else bytes(value)))
        elif isinstance(value, str) and all(" " <= each <= "~" for each in value):
            checked.append((key, value))
        else:
            raise InvalidInput(
                Problem(
                    message=f"the metadata value {value!r} of '{key}' is not printable ASCII text",
                    hint=f"send it under the key '{key}-bin'",
                )
            )
    return tuple(checked)


def code_at_the_end(code: int, *, seconds: float, timeout: float | None) -> int:
    """Returns gRPC's number for a call that has ended after so many seconds.

    A server whose clock is a moment ahead may reset a stream at the deadline before the client
    looks at its own: what is cancelled as its time is up has run into its deadline.
    """
    if code == _CANCELLED and timeout is not None and seconds >= timeout - _CLOCKS_DIFFER_SECONDS:
        return _DEADLINE_EXCEEDED
    return code


def _failure(error: grpc.aio.AioRpcError, begin: float, timeout: float | None) -> Received:
    seconds = time.perf_counter() - begin
    return Received(
        code=code_at_the_end(error.code().value[0], seconds=seconds, timeout=timeout),
        message=error.details() or "",
        body=None,
        headers=error.initial_metadata(),
        trailers=error.trailing_metadata(),
        seconds=seconds,
    )


def _cancelled(begin: float) -> Received:
    return Received(
        code=_CANCELLED,
        message="the harness has cancelled the call",
        body=None,
        headers=(),
        trailers=(),
        seconds=time.perf_counter() - begin,
    )


def _cut_off(begin: float, count: int) -> Received:
    return Received(
        code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0],
        message=f"the harness stopped reading after {count} messages of the stream",
        body=None,
        headers=(),
        trailers=(),
        seconds=time.perf_counter() - begin,
    )
