"""The peers that calls can be routed to: who they are, where they are, and calls to them."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grpclib.client import Channel
from grpclib.const import Status as GrpcStatus

from grpclib_collector import contract
from grpclib_collector.calls import CallFailed, NotSent, call
from grpclib_collector.settings import split_address
from grpclib_collector.sizes import BoundedCodec

__all__ = ["Connections", "Peer"]

_CONNECT = f"/{contract.DISPATCHER}/Connect"
MAXIMUM_CONNECTIONS = 10_000


_HTTP_LIKE = {
    GrpcStatus.UNIMPLEMENTED: 501,
    GrpcStatus.NOT_FOUND: 404,
    GrpcStatus.DEADLINE_EXCEEDED: 504,
    GrpcStatus.UNAVAILABLE: 503,
    GrpcStatus.RESOURCE_EXHAUSTED: 429,
    GrpcStatus.PERMISSION_DENIED: 403,
    GrpcStatus.UNAUTHENTICATED: 401,
}


@dataclass(frozen=True, kw_only=True)
class Peer:
    collector_id: str
    connection_id: str
    address: str
    shared: tuple[str, ...]
    channel: Channel

    async def serve(self, request: Any, *, seconds: float, metadata: Any) -> Any:
        """Returns the peer's ServeResponse; a failure of gRPC becomes one too.

        Raises `NotSent` where the handler has certainly not run for lack of a connection.
        """
        try:
            response = await call(
                self.channel, contract.SERVE, request, seconds=seconds, metadata=metadata
            )
        except NotSent as error:
            raise NotSent(f"collector '{self.collector_id}' cannot be reached") from error
        except CallFailed as error:
            return _failed(
                _HTTP_LIKE.get(error.status, 500),
                f"the call to collector '{self.collector_id}' failed: {error}",
            )
        if not response.HasField("status"):
            return _failed(500, f"collector '{self.collector_id}' answered without a status")
        return response


class Connections:
    """One connection for each peer, whichever side asked for it."""

    def __init__(self, collector_id: str, namespaces: tuple[str, ...]) -> None:
        self.collector_id = collector_id
        self.namespaces = namespaces
        # By id, or by address for a peer that tells none: an id can never name the latter.
        self._peers: dict[tuple[str, str], Peer] = {}
        self._turns = itertools.count()

    def get(self, collector_id: str) -> Peer | None:
        return self._peers.get((collector_id, ""))

    def sharing(self, namespace: str) -> Iterator[Peer]:
        """Yields the peers that share the namespace, another one first at each call."""
        peers = [peer for peer in self._peers.values() if namespace in peer.shared]
        start = next(self._turns) % len(peers) if peers else 0
        yield from peers[start:] + peers[:start]

    def accept(self, request: Any) -> Any:
        """Answers a peer's Connect."""
        if not request.address:
            return _refused(400, "address is required")
        host_and_port = split_address(request.address)
        if host_and_port is None or host_and_port[1] == 0:
            return _refused(400, f"'{request.address}' is not an address")
        key = _key(request.collector_id, request.address)
        if key not in self._peers and len(self._peers) >= MAXIMUM_CONNECTIONS:
            return _refused(429, "there are too many connections")
        shared = self._shared(request.namespaces)
        connection_id = str(uuid.uuid4())
        if request.collector_id != self.collector_id:
            self._store(request.collector_id, request.address, connection_id, shared)
        return contract.ConnectResponse(
            status=contract.Status(code=200, message="OK"),
            connection_id=connection_id,
            shared_namespaces=shared,
            target_collector_id=self.collector_id,
        )

    async def connect(self, address: str, advertised: str) -> bool:
        """Asks the collector at an address to connect; returns whether it did."""
        host_and_port = split_address(address)
        assert host_and_port is not None
        channel = Channel(*host_and_port, codec=BoundedCodec())
        request = contract.ConnectRequest(
            collector_id=self.collector_id, address=advertised, namespaces=self.namespaces
        )
        try:
            answer = await call(channel, _CONNECT, request, seconds=2.0)
        except (NotSent, CallFailed):
            return False
        finally:
            channel.close()
        if not answer.HasField("status") or answer.status.code != 200:
            return False
        if answer.target_collector_id != self.collector_id:
            shared = self._shared(answer.shared_namespaces)
            self._store(answer.target_collector_id, address, answer.connection_id, shared)
        return True

    async def keep_connecting(self, address: str, advertised: str) -> None:
        """Tries until the collector at the address answers."""
        pause = 0.05
        while not await self.connect(address, advertised):
            await asyncio.sleep(pause)
            pause = min(2 * pause, 2.0)

    def close(self) -> None:
        for peer in self._peers.values():
            peer.channel.close()

    def _shared(self, namespaces: Any) -> tuple[str, ...]:
        return tuple(name for name in dict.fromkeys(namespaces) if name in self.namespaces)

    def _store(
        self, collector_id: str, address: str, connection_id: str, shared: tuple[str, ...]
    ) -> None:
        key = _key(collector_id, address)
        known = self._peers.get(key)
        if known is not None and known.address == address:
            channel = known.channel
        else:
            if known is not None:
                known.channel.close()
            host_and_port = split_address(address)
            assert host_and_port is not None
            channel = Channel(*host_and_port, codec=BoundedCodec())
        self._peers[key] = Peer(
            collector_id=collector_id,
            connection_id=connection_id,
            address=address,
            shared=shared,
            channel=channel,
        )


def _key(collector_id: str, address: str) -> tuple[str, str]:
    return (collector_id, "") if collector_id else ("", address)


def _refused(code: int, message: str) -> Any:
    return contract.ConnectResponse(status=contract.Status(code=code, message=message))


def _failed(code: int, message: str) -> Any:
    return contract.ServeResponse(status=contract.Status(code=code, message=message))
