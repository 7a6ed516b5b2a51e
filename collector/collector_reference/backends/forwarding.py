"""Handlers that an ordinary gRPC server executes, and the channels to such servers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any as Anything

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from collector_reference.backends.methods import BackendMethod, BackendService, read_service
from collector_reference.backends.reflection import files_of
from collector_reference.backends.values import TLS_VARIABLES, BackendTls
from collector_reference.channels import dial
from collector_reference.dispatch.handlers import HandlerContext
from collector_reference.errors import BackendUnusable, HandlerFailed
from collector_reference.observability.correlation import calling
from collector_reference.security.client_tls import ClientTls
from collector_reference.status import CanonicalStatus, from_grpc

__all__ = ["Backends"]

_INTERNAL = 500
# gRPC says this of a call that found no connection to be sent on.
_NOTHING_SENT = "failed to connect to all addresses"
_NOTHING_RAN = (CanonicalStatus.UNIMPLEMENTED,)


class Backends:
    """The ordinary servers behind one collector. Lives on the collector's loop."""

    def __init__(self, *, max_message_bytes: int, forward_limit: float) -> None:
        """`forward_limit` bounds, in seconds, a call whose caller set no deadline."""
        self._max_message_bytes = max_message_bytes
        self._forward_limit = forward_limit
        self._channels: dict[tuple[str, BackendTls | None], grpc.aio.Channel] = {}

    async def service(
        self,
        service: str,
        address: str,
        *,
        tls: BackendTls | None,
        methods: Sequence[str] | None,
        descriptor_set: FileDescriptorSet | bytes | None,
        seconds: float,
    ) -> BackendService:
        """Returns what is known of a service, by the descriptors, else by reflection.

        Raises `BackendUnusable`.
        """
        if descriptor_set is None:
            files = await files_of(
                self._channel(address, tls), service, address=address, seconds=seconds
            )
        elif isinstance(descriptor_set, bytes):
            try:
                files = FileDescriptorSet.FromString(descriptor_set)
            except DecodeError as error:
                raise BackendUnusable(service, address, "its descriptor set is broken") from error
        else:
            files = descriptor_set
        return read_service(files, service, address=address, methods=methods)

    def handler(
        self, method: BackendMethod, address: str, tls: BackendTls | None
    ) -> Callable[[Any | None, HandlerContext], Awaitable[Any]]:
        """Returns the handler that has the backend execute a method.

        It passes on deadline, cancellation and correlation headers, and fails as the backend did.
        """
        rpc: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel(
            address, tls
        ).unary_unary(method.path)

        async def forward(payload: Any | None, context: HandlerContext) -> Any:
            left = context.time_left
            request = method.request(payload)
            try:
                with calling(method.path, context.correlation) as headers:
                    data = await rpc(
                        request,
                        timeout=self._forward_limit if left is None else left.total_seconds(),
                        metadata=headers,
                    )
            except grpc.aio.AioRpcError as error:
                raise _failure(error, method) from error
            return method.answer(data)

        return forward

    def _channel(self, address: str, tls: BackendTls | None) -> grpc.aio.Channel:
        channel = self._channels.get((address, tls))
        if channel is None:
            channel = self._channels[address, tls] = dial(
                address,
                max_message_bytes=self._max_message_bytes,
                tls=None if tls is None else _client_tls(tls),
            )
        return channel

    async def close(self) -> None:
        """Closes every channel."""
        channels = list(self._channels.values())
        self._channels.clear()
        await asyncio.gather(*(channel.close() for channel in channels))


def _client_tls(tls: BackendTls) -> ClientTls:
    """Raises `SettingsError` for files that cannot be used."""
    return ClientTls(
        ca=tls.ca,
        cert=tls.cert,
        key=tls.key,
        variables=TLS_VARIABLES,
        what="the certificate for backends",
    )


def _failure(error: grpc.aio.AioRpcError, method: BackendMethod) -> HandlerFailed:
    code: Anything = error.code()
    status = from_grpc(code.value[0])
    details = error.details() or ""
    number = status.http_like or status.in_band or _INTERNAL
    if status is CanonicalStatus.UNAVAILABLE and _NOTHING_SENT in details:
        # Its text tells addresses.
        return HandlerFailed(number, f"the backend of {method.path[1:]} cannot be reached")
    return HandlerFailed(
        number,
        details or f"the backend of {method.path[1:]} answered {status.value}",
        executed=status not in _NOTHING_RAN,
    )
