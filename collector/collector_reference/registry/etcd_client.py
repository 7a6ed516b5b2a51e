"""Calls to an etcd cluster: to any member that answers, and to another one when it does not.

Keys, values, revisions and leases only; what they mean is the business of the store and of
membership. Of aetcd it is the generated code that is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import grpc
import grpc.aio

from collector_reference.addresses import resolved_target
from collector_reference.errors import MissingExtra, StoreUnavailable
from collector_reference.registry.notation import EtcdPlace

try:
    from aetcd import rpc
except ImportError as error:
    raise MissingExtra("etcd", "a registry or membership in etcd") from error

__all__ = ["Change", "Entry", "EtcdClient", "WatchLost"]

_LOG = logging.getLogger(__name__)
_ATTEMPT = 2.0
"""Seconds that one member may take for an answer."""
_BETWEEN_TRIES = 0.1
_PAGE = 5_000
_REQUIRE_LEADER = (("hasleader", "true"),)
"""Without it, a member that lost the others keeps a watch open on which nothing ever comes."""
_PASSING = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class WatchLost(Exception):
    """A watch ended. `compacted` when what it would have told is gone: then load anew."""

    def __init__(self, reason: str, *, compacted: bool = False) -> None:
        self.compacted = compacted
        super().__init__(reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A key and what it holds."""

    key: bytes
    value: bytes
    created: int
    """The revision in which it came to be."""
    changed: int
    """The revision of its present value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What happened to a key."""

    key: bytes
    entry: Entry | None
    """None when it is gone."""


class EtcdClient:
    """A cluster. Belongs to the loop on which it is first used."""

    def __init__(self, place: EtcdPlace, *, limit: timedelta) -> None:
        """`limit` bounds each call, however many members are tried for it."""
        self._endpoints = place.endpoints
        self._limit = limit.total_seconds()
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._turn = 0
        self.patient = True
        """Whether a call that fails is tried again until the limit; else every member is asked
        once."""

    async def close(self) -> None:
        """Closes every connection."""
        channels, self._channels = self._channels, {}
        await asyncio.gather(*(channel.close() for channel in channels.values()))

    # Keys

    async def create(self, key: bytes, value: bytes, *, lease: int = 0) -> tuple[bool, int]:
        """Puts the value unless the key exists; returns whether it did, and the key's revision.

        `value` must be unlike any other: so a try whose answer was lost knows its own work.
        """
        absent = rpc.Compare(
            key=key, target=rpc.Compare.CREATE, result=rpc.Compare.EQUAL, create_revision=0
        )
        request = rpc.TxnRequest(
            compare=[absent],
            success=[rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=value, lease=lease))],
            failure=[rpc.RequestOp(request_range=rpc.RangeRequest(key=key))],
        )
        response = await self._call(lambda at, time: rpc.KVStub(at).Txn(request, timeout=time))
        if response.succeeded:
            return True, response.header.revision
        found = response.responses[0].response_range.kvs[0]
        return found.value == value, found.mod_revision

    async def put(self, key: bytes, value: bytes, *, lease: int = 0) -> None:
        """Puts the value, in place of the one that is there."""
        request = rpc.PutRequest(key=key, value=value, lease=lease)
        await self._call(lambda at, time: rpc.KVStub(at).Put(request, timeout=time))

    async def load(self, prefix: bytes) -> tuple[int, list[Entry]]:
        """Returns every key with the prefix, in the order of creation, and their revision."""
        entries: list[Entry] = []
        first, revision = prefix, 0
        while True:
            request = rpc.RangeRequest(
                key=first, range_end=_end(prefix), limit=_PAGE, revision=revision
            )
            response = await self._call(partial(_range, request))
            revision = revision or response.header.revision
            entries.extend(_entry(found) for found in response.kvs)
            if not response.more:
                break
            first = response.kvs[-1].key + b"\0"
        entries.sort(key=lambda entry: entry.created)
        return revision, entries

    async def watch(
        self, prefix: bytes, revision: int
    ) -> AsyncGenerator[tuple[int, list[Change]], None]:
        """Yields what changes from that revision on, with the revision that it leads to.

        The first is empty, and tells that the watch stands. Raises `WatchLost`; never ends.
        """
        create = rpc.WatchCreateRequest(key=prefix, range_end=_end(prefix), start_revision=revision)
        call = rpc.WatchStub(self._channel()).Watch(metadata=_REQUIRE_LEADER)
        try:
            await call.write(rpc.WatchRequest(create_request=create))
            async with asyncio.timeout(_ATTEMPT):
                response = await call.read()
            while True:
                if response is grpc.aio.EOF:
                    raise WatchLost("the member ended it")
                if response.canceled or response.compact_revision:
                    compacted = response.compact_revision > 0
                    raise WatchLost(response.cancel_reason or "canceled", compacted=compacted)
                # The answer to the request itself carries the revision of now, not one reached.
                reached = 0 if response.created else response.header.revision
                yield reached, [_change(event) for event in response.events]
                response = await call.read()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            self._next()
            raise WatchLost(str(error)) from error
        except TimeoutError as error:
            self._next()
            raise WatchLost(f"no answer in {_ATTEMPT:g} s") from error
        finally:
            call.cancel()

    async def probe(self) -> bool:
        """Returns whether a member answers that has the others' consent."""
        # Not serialisable: so a member asks the others before it answers.
        request = rpc.RangeRequest(key=b"\0", count_only=True)
        try:
            await rpc.KVStub(self._channel()).Range(request, timeout=_ATTEMPT)
        except grpc.aio.AioRpcError as error:
            _LOG.debug("etcd does not answer: %s", error.details())
            self._next()
            return False
        return True

    # Leases

    async def grant(self, life: timedelta) -> int:
        """Returns a new lease."""
        request = rpc.LeaseGrantRequest(TTL=max(2, round(life.total_seconds())))
        response = await self._call(
            lambda at, time: rpc.LeaseStub(at).LeaseGrant(request, timeout=time)
        )
        lease: int = response.ID
        return lease

    async def renew(self, lease: int) -> bool:
        """Returns whether the lease still lives; then it does so for its whole life again."""

        async def ask(at: grpc.aio.Channel, time: float) -> bool:
            call = rpc.LeaseStub(at).LeaseKeepAlive(timeout=time)
            await call.write(rpc.LeaseKeepAliveRequest(ID=lease))
            response = await call.read()
            call.cancel()
            return bool(response is not grpc.aio.EOF and response.TTL > 0)

        renewed: bool = await self._call(ask)
        return renewed

    async def revoke(self, lease: int) -> None:
        """Ends a lease and deletes its keys, where that works at once."""
        with contextlib.suppress(grpc.aio.AioRpcError):
            await rpc.LeaseStub(self._channel()).LeaseRevoke(
                rpc.LeaseRevokeRequest(ID=lease), timeout=_ATTEMPT
            )

    # Members

    def _channel(self) -> grpc.aio.Channel:
        endpoint = self._endpoints[self._turn % len(self._endpoints)]
        channel = self._channels.get(endpoint)
        if channel is None:
            channel = grpc.aio.insecure_channel(resolved_target(endpoint), options=_OPTIONS)
            self._channels[endpoint] = channel
        return channel

    def _next(self) -> None:
        self._turn += 1

    async def _call(self, ask: Callable[[grpc.aio.Channel, float], Awaitable[Any]]) -> Any:
        """Returns what a member answers; raises `StoreUnavailable` when none does."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limit
        asked = 0
        while True:
            turn = self._turn
            try:
                return await ask(self._channel(), min(_ATTEMPT, max(0.1, end - loop.time())))
            except grpc.aio.AioRpcError as error:
                asked += 1
                if turn == self._turn:
                    self._next()
                over = loop.time() + _BETWEEN_TRIES >= end
                tired = not self.patient and asked >= len(self._endpoints)
                if error.code() not in _PASSING or over or tired:
                    raise StoreUnavailable(
                        f"etcd at {','.join(self._endpoints)}: {error.code().name}: "
                        f"{error.details()}"
                    ) from error
            await asyncio.sleep(_BETWEEN_TRIES)


async def _range(request: Any, at: grpc.aio.Channel, time: float) -> Any:
    return await rpc.KVStub(at).Range(request, timeout=time)


def _end(prefix: bytes) -> bytes:
    """Returns the first key behind all with the prefix, which ends with a slash."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


def _entry(found: Any) -> Entry:
    return Entry(
        key=found.key,
        value=found.value,
        created=found.create_revision,
        changed=found.mod_revision,
    )


def _change(event: Any) -> Change:
    gone = event.type == rpc.Event.EventType.DELETE
    return Change(key=event.kv.key, entry=None if gone else _entry(event.kv))
