# ruff: noqa: ASYNC109 - a deadline goes over the wire; asyncio.timeout does not
"""Calls to one node: the eight RPCs typed, and any other by its name.

No answer of a node raises anything: gRPC errors and broken answers are `Reply` values
too. Only what the caller asks for in a way that cannot be sent raises `InvalidInput`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from collector_harness.client.contract_calls import DEFAULT_TIMEOUT, ContractCalls
from collector_harness.client.credentials import PLAINTEXT, ClientCredentials
from collector_harness.client.decoding import from_message, json_values
from collector_harness.client.descriptor_sets import pool_of
from collector_harness.client.dialects import DialectName, request_bytes
from collector_harness.client.methods import Methods, method_path, request_message
from collector_harness.client.pools import TypePool
from collector_harness.client.reflection import Unanswered
from collector_harness.client.reply import Received, Reply, grpc_reply, reply_of
from collector_harness.client.streams import StreamCall
from collector_harness.client.transport import MetadataInput, Transport, checked_metadata
from collector_harness.errors import InvalidInput, Problem
from collector_harness.late import later

__all__ = ["DEFAULT_TIMEOUT", "NodeClient"]


class NodeClient(ContractCalls):
    """One channel to one node. Made and used on one loop, and closed there.

    `timeout` is in seconds everywhere, None for no deadline. `metadata` is a mapping or pairs.
    """

    def __init__(
        self,
        address: str,
        *,
        node: str = "",
        credentials: ClientCredentials = PLAINTEXT,
        protos: Sequence[Path] = (),
        dialect: DialectName = "native",
    ) -> None:
        """`dialect` is how the node reads ConnectRequest, and `protos` are descriptor sets and
        `.proto` files of what it serves; raises `InvalidInput` and `EnvironmentLacks` for those
        that cannot be used.
        """
        given = pool_of(protos) if protos else None
        self.address = address
        self._credentials = credentials
        self.dialect = dialect
        """How requests to connect are laid out."""
        self.node = node or address
        """The name that replies carry."""
        self._transport = Transport(address, credentials)
        self._methods = Methods(
            self._transport.channel,
            node=self.node,
            metadata=self._transport.with_token(()),
            given=given,
        )

    @property
    def transport(self) -> Transport:
        """The channel with bytes in and bytes out, for calls in bulk."""
        return self._transport

    async def close(self) -> None:
        """Closes the channel; calls in flight are answered CANCELLED."""
        await self._transport.close()

    def giving_up(self, seconds: float) -> Self:
        """Returns this client for a caller that cancels each call which takes longer.

        It shares the channel, and is not closed.
        """
        impatient = copy.copy(self)
        impatient._transport = self._transport.giving_up(seconds)
        return impatient

    async def until_connected(self, *, seconds: float) -> None:
        """Returns once the channel is connected, or the time is over; for a node that was away,
        which the channel would look for again only after a pause.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._transport.channel.channel_ready()

    async def why_unreachable(self, *, seconds: float = 1.0) -> str | None:
        """Returns why the node and this client do not understand each other, where it is that one
        of them speaks TLS and the other does not, or that a certificate is not trusted.
        """
        return await self._credentials.why_unreachable(self.address, seconds=seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def call(
        self,
        full_method: str,
        request: object = None,
        *,
        append: bytes = b"",
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Calls a method by its name, such as `collector.CollectorRegistry/ListServices`.

        `request` is a mapping in protobuf's JSON form (or a message). The contract, health and
        `conformance.Port` are known; anything else is asked for by server reflection. A method
        that answers by a stream is read to its end, and `response` is a list then. `append` are
        bytes to send behind the encoded request. Raises `InvalidInput` for a method that is not
        known, and for a request that does not fit it.
        """
        path = method_path(full_method)
        try:
            method = await self._methods.find(path, timeout=timeout)
        except Unanswered as error:
            return self.unanswered(error, path, request)
        if method.client_streaming:
            raise InvalidInput(
                Problem(message=f"{path[1:]} takes a stream, and only single requests can be sent")
            )
        message = request_message(method, request)
        kind: type[Message] = GetMessageClass(method.output_type)
        if method.server_streaming:
            return await self._streamed(path, message, kind, metadata, timeout)
        return await self._typed(path, message, kind, metadata, timeout, append=append)

    async def open_stream(
        self,
        full_method: str,
        *,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> StreamCall:
        """Opens a call of any kind, to be made message by message; `timeout` is for all of it.

        Raises `InvalidInput` for a method that is not known, and `Unanswered` where nobody tells of
        it because nobody answers.
        """
        path = method_path(full_method)
        method = await self._methods.find(path, timeout=timeout)
        return StreamCall(
            self._transport,
            method,
            node=self.node,
            path=path,
            types=self._methods.types,
            metadata=metadata,
            timeout=timeout,
            dialect=self.dialect,
        )

    def unanswered(self, error: Unanswered, full_method: str, request: object) -> Reply:
        """Returns the reply that a call would have got which nobody was there to take."""
        received = Received(
            code=error.status.value[0],
            message=error.message,
            body=None,
            headers=(),
            trailers=(),
            seconds=error.seconds,
        )
        path = method_path(full_method)
        return grpc_reply(received, node=self.node, rpc=path, request=json_values(request))

    async def call_raw(
        self,
        full_method: str,
        request: bytes,
        *,
        streaming: bool = False,
        metadata: MetadataInput = (),
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Reply:
        """Calls a method with these bytes; `output` is the bytes of the answer, or a list of
        them for an answer that is a stream. Nothing has to be known of the method.
        """
        path = method_path(full_method)
        pairs = checked_metadata(metadata)
        output: object
        if streaming:
            received, output = await self._transport.server_stream(
                path, request, timeout=timeout, metadata=pairs
            )
        else:
            received = await self._transport.unary(path, request, timeout=timeout, metadata=pairs)
            output = received.body
        return grpc_reply(
            received,
            node=self.node,
            rpc=path,
            request={"@bytes": base64.b64encode(request).decode("ascii")},
            output=output,
            response=None if received.body is None else json_values(output),
        )

    @property
    def _types(self) -> TypePool | None:
        return self._methods.types

    async def _typed(
        self,
        path: str,
        request: Message,
        kind: type[Message],
        metadata: MetadataInput,
        timeout: float | None,
        append: bytes = b"",
    ) -> Reply:
        received = await self._transport.unary(
            path,
            request_bytes(path, request, self.dialect) + append,
            timeout=timeout,
            metadata=checked_metadata(metadata),
        )
        types = self._methods.types
        return reply_of(
            received,
            node=self.node,
            rpc=path,
            request=later(lambda: json_values(from_message(request, types=types))),
            kind=kind,
            types=types,
        )

    async def _streamed(
        self,
        path: str,
        request: Message,
        kind: type[Message],
        metadata: MetadataInput,
        timeout: float | None,
    ) -> Reply:
        received, bodies = await self._transport.server_stream(
            path,
            request.SerializeToString(),
            timeout=timeout,
            metadata=checked_metadata(metadata),
        )
        output: list[object] = []
        for body in bodies:
            try:
                output.append(from_message(kind.FromString(body), types=self._methods.types))
            except Exception:  # noqa: BLE001 - whatever protobuf says of hostile bytes
                output.append({"@bytes": base64.b64encode(body).decode("ascii")})
        return grpc_reply(
            received,
            node=self.node,
            rpc=path,
            request=json_values(from_message(request, types=self._methods.types)),
            output=output,
            response=json_values(output),
        )
