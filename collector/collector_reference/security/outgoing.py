"""How this collector shows itself to whom it calls: peers, a remote registry, its own port.

Its channels take new certificates when they have to connect anew; a connection that is up
goes on with those that it was made with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

import grpc
import grpc.aio

if TYPE_CHECKING:
    from collector_reference.security.tls import TlsIdentity

__all__ = ["BearerToken", "Outgoing", "SecuredChannel"]

Options = Sequence[tuple[str, Any]]

_READY = grpc.ChannelConnectivity.READY
_LAST_CALLS = 30.0
"""Seconds that calls may still take on a channel whose certificates are replaced."""


class BearerToken(Protocol):
    """Where the collector's own token comes from."""

    def current(self) -> str | None:
        """Returns the token of now; None where there is none that could be used."""


class Outgoing:
    """What the collector's channels carry."""

    def __init__(self, *, identity: TlsIdentity | None, token: BearerToken | None) -> None:
        self.identity = identity
        """None: it dials in plaintext."""
        self.token = token
        """None: it presents none."""

    def channel(
        self, target: str, options: Options, *, own_port: bool, name: str | None = None
    ) -> grpc.aio.Channel:
        """Returns a channel to a gRPC target; `own_port` where that is the collector itself, and
        `name` what its certificate must carry where that is not the host of the target.
        """
        identity = self.identity

        def opened() -> grpc.aio.Channel:
            if identity is None:
                return grpc.aio.insecure_channel(target, options=tuple(options))
            if own_port:
                credentials, carried = identity.own_credentials()
            else:
                credentials, carried = identity.channel_credentials(), name
            named = () if carried is None else (("grpc.ssl_target_name_override", carried),)
            return grpc.aio.secure_channel(target, credentials, options=(*options, *named))

        version = None if identity is None else lambda: identity.version
        return SecuredChannel(opened, version=version, token=self.token)


class SecuredChannel(grpc.aio.Channel):
    """A channel that presents a token with each call, and whose certificates are replaced."""

    def __init__(
        self,
        opened: Callable[[], grpc.aio.Channel],
        *,
        version: Callable[[], int] | None,
        token: BearerToken | None = None,
    ) -> None:
        """`opened` opens a channel with the certificates of now, and `version` changes with them;
        None where there are none.
        """
        self._opened = opened
        self._version_now = version
        self._token = token
        self._version = 0 if version is None else version()
        self._channel = opened()
        self._closed = False
        self._closing: set[asyncio.Task[None]] = set()

    def current(self) -> grpc.aio.Channel:
        """Returns the channel to use now, with new certificates where it is not connected."""
        if self._version_now is None or self._closed or self._channel.get_state() is _READY:
            return self._channel
        version = self._version_now()
        if version != self._version:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                # Another thread only looks at the state: the next call replaces the channel.
                return self._channel
            self._version = version
            former, self._channel = self._channel, self._opened()
            task = loop.create_task(former.close(_LAST_CALLS))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        return self._channel

    def with_token(self, metadata: Any) -> Any:
        """Returns a call's metadata with the token added."""
        token = None if self._token is None else self._token.current()
        if token is None:
            return metadata
        return (*(metadata or ()), ("authorization", f"Bearer {token}"))

    def unary_unary(self, method: str, *given: Any, **named: Any) -> Any:
        """See `grpc.aio.Channel`."""
        return _Rpc(self, "unary_unary", method, given, named)

    def unary_stream(self, method: str, *given: Any, **named: Any) -> Any:
        """See `grpc.aio.Channel`."""
        return _Rpc(self, "unary_stream", method, given, named)

    def stream_unary(self, method: str, *given: Any, **named: Any) -> Any:
        """See `grpc.aio.Channel`."""
        return _Rpc(self, "stream_unary", method, given, named)

    def stream_stream(self, method: str, *given: Any, **named: Any) -> Any:
        """See `grpc.aio.Channel`."""
        return _Rpc(self, "stream_stream", method, given, named)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """See `grpc.aio.Channel`."""
        return self.current().get_state(try_to_connect=try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """See `grpc.aio.Channel`."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """See `grpc.aio.Channel`."""
        await self.current().channel_ready()

    async def close(self, grace: float | None = None) -> None:
        """See `grpc.aio.Channel`."""
        self._closed = True
        for task in tuple(self._closing):
            task.cancel()
        await asyncio.gather(self._channel.close(grace), *self._closing, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


class _Rpc:
    """One method, on whatever channel is the current one when it is called."""

    __slots__ = ("_call", "_given", "_kind", "_method", "_named", "_of", "_owner")

    def __init__(
        self,
        owner: SecuredChannel,
        kind: str,
        method: str,
        given: tuple[Any, ...],
        named: dict[str, Any],
    ) -> None:
        self._owner = owner
        self._kind = kind
        self._method = method
        self._given = given
        self._named = named
        self._of: grpc.aio.Channel | None = None
        self._call: Any = None

    def __call__(self, *request: Any, metadata: Any = None, **named: Any) -> Any:
        channel = self._owner.current()
        if channel is not self._of:
            self._of = channel
            self._call = getattr(channel, self._kind)(self._method, *self._given, **self._named)
        return self._call(*request, metadata=self._owner.with_token(metadata), **named)
