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

from collector_reference.errors import InvalidRecord, MissingExtra, SettingsError, StoreUnavailable
from collector_reference.registry.notation import EtcdPlace

try:
    from aetcd import rpc

    from collector_reference.registry.etcd_login import EtcdLogin
except ImportError as error:
    raise MissingExtra("etcd", "a registry or membership in etcd") from error

__all__ = ["Change", "Entry", "EtcdClient", "WatchLost"]

_LOG = logging.getLogger(__name__)
_ATTEMPT = 2.0
"""Seconds that one member may take for an answer."""
_BETWEEN_TRIES = 0.1
_FIRST_PAGE = 500
_LONGEST_PAGE = 100_000
_PAGE_BYTES = 16 * 1024 * 1024
"""What a page of keys and values should hold: for each page a member goes through all the keys that
are left, so there must not be too many, and what is read of one is in memory twice."""
_PAGE_ATTEMPT = timedelta(seconds=30)
"""How long a member may take for a page, where it has answered a small question before."""
_REQUIRE_LEADER = (("hasleader", "true"),)
"""Without it, a member that lost the others keeps a watch open on which nothing ever comes."""
_PASSING = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
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
        self._prefix = f"{place.prefix}/".encode()
        self._login = EtcdLogin(place)
        self._limit = limit.total_seconds()
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._turn = 0
        self.answered = float("-inf")
        """When, by the loop's clock, a member answered last that has the others' consent."""
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

        `value` must be unlike any other: so a try whose answer was lost knows its own work. Raises
        `InvalidRecord` for one that is larger than etcd takes.
        """
        absent = rpc.Compare(
            key=key, target=rpc.Compare.CREATE, result=rpc.Compare.EQUAL, create_revision=0
        )
        request = rpc.TxnRequest(
            compare=[absent],
            success=[rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=value, lease=lease))],
            failure=[rpc.RequestOp(request_range=rpc.RangeRequest(key=key))],
        )
        try:
            response = await self._call(lambda at, **how: rpc.KVStub(at).Txn(request, **how))
        except StoreUnavailable as error:
            if _is_too_large(error.__cause__):
                size = f"{len(value):,} bytes"
                raise InvalidRecord(f"the record has {size}, more than etcd takes") from error
            raise
        if response.succeeded:
            return True, response.header.revision
        found = response.responses[0].response_range.kvs[0]
        return found.value == value, found.mod_revision

    async def put(self, key: bytes, value: bytes, *, lease: int = 0) -> None:
        """Puts the value, in place of the one that is there."""
        request = rpc.PutRequest(key=key, value=value, lease=lease)
        await self._call(lambda at, **how: rpc.KVStub(at).Put(request, **how))

    async def load(self, prefix: bytes) -> tuple[int, list[Entry]]:
        """Returns every key with the prefix, in the order of creation, and a revision.

        What has changed since that revision may be in it or not: a watch from the next one on
        tells. So nothing of the past is asked for, which a compaction might take away meanwhile.
        """
        answer = await self._call(partial(_range, rpc.RangeRequest(key=prefix)))
        entries: list[Entry] = []
        first, limit = prefix, _FIRST_PAGE
        while True:
            request = rpc.RangeRequest(key=first, range_end=_end(prefix), limit=limit)
            response = await self._call(partial(_range, request), attempt=_PAGE_ATTEMPT)
            entries.extend(_entry(found) for found in response.kvs)
            if not response.more:
                break
            first = response.kvs[-1].key + b"\0"
            fitting = limit * _PAGE_BYTES // max(response.ByteSize(), 1)
            limit = max(1, min(fitting, _LONGEST_PAGE))
        entries.sort(key=lambda entry: entry.created)
        return answer.header.revision, entries

    async def watch(
        self, prefix: bytes, revision: int
    ) -> AsyncGenerator[tuple[int, list[Change]], None]:
        """Yields what changes from that revision on, with the revision that it leads to.

        The first is empty, and tells that the watch stands. Raises `WatchLost`; never ends.
        """
        create = rpc.WatchCreateRequest(key=prefix, range_end=_end(prefix), start_revision=revision)
        turn = self._turn
        sent: tuple[tuple[str, str], ...] = ()
        call = None
        try:
            at = self._channel()
            sent = await self._metadata(at, _ATTEMPT)
            call = rpc.WatchStub(at).Watch(metadata=(*_REQUIRE_LEADER, *sent))
            await call.write(rpc.WatchRequest(create_request=create))
            async with asyncio.timeout(_ATTEMPT):
                response = await call.read()
            while True:
                if response is grpc.aio.EOF:
                    raise WatchLost("the member ended it")
                if response.canceled or response.compact_revision:
                    compacted = response.compact_revision > 0
                    # It may be the token that is refused: the next watch logs in again.
                    self._login.forget(sent)
                    raise WatchLost(response.cancel_reason or "canceled", compacted=compacted)
                # The answer to the request itself carries the revision of now, not one reached.
                reached = 0 if response.created else response.header.revision
                yield reached, [_change(event) for event in response.events]
                response = await call.read()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            self._login.forget(sent)
            self._leave(turn)
            raise WatchLost(str(error)) from error
        except TimeoutError as error:
            self._leave(turn)
            raise WatchLost(f"no answer in {_ATTEMPT:g} s") from error
        except StoreUnavailable as error:
            raise WatchLost(str(error)) from error
        finally:
            if call is not None:
                call.cancel()

    async def probe(self) -> bool:
        """Returns whether a member answers that has the others' consent; asks all, if need be."""
        # Not serialisable: so a member asks the others before it answers.
        request = rpc.RangeRequest(key=self._prefix, count_only=True)
        for _ in self._endpoints:
            turn = self._turn
            at = self._channel()
            sent: tuple[tuple[str, str], ...] = ()
            try:
                sent = await self._metadata(at, _ATTEMPT)
                await rpc.KVStub(at).Range(request, timeout=_ATTEMPT, metadata=sent)
            except grpc.aio.AioRpcError as error:
                _LOG.debug("etcd does not answer: %s", error.details())
                self._login.is_refused(error, sent)
                self._leave(turn)
            except StoreUnavailable as error:
                _LOG.warning("%s", error)
                return False
            else:
                self.answered = asyncio.get_running_loop().time()
                return True
        return False

    # Leases

    async def grant(self, life: timedelta) -> int:
        """Returns a new lease."""
        request = rpc.LeaseGrantRequest(TTL=max(2, round(life.total_seconds())))
        response = await self._call(lambda at, **how: rpc.LeaseStub(at).LeaseGrant(request, **how))
        lease: int = response.ID
        return lease

    async def renew(self, lease: int) -> bool:
        """Returns whether the lease still lives; then it does so for its whole life again."""

        async def ask(at: grpc.aio.Channel, **how: Any) -> bool:
            call = rpc.LeaseStub(at).LeaseKeepAlive(**how)
            await call.write(rpc.LeaseKeepAliveRequest(ID=lease))
            response = await call.read()
            call.cancel()
            return bool(response is not grpc.aio.EOF and response.TTL > 0)

        renewed: bool = await self._call(ask)
        return renewed

    async def revoke(self, lease: int) -> None:
        """Ends a lease and deletes its keys, where that works at once."""
        with contextlib.suppress(grpc.aio.AioRpcError, StoreUnavailable):
            at = self._channel()
            await rpc.LeaseStub(at).LeaseRevoke(
                rpc.LeaseRevokeRequest(ID=lease),
                timeout=_ATTEMPT,
                metadata=await self._metadata(at, _ATTEMPT),
            )

    # Members

    def _channel(self) -> grpc.aio.Channel:
        endpoint = self._endpoints[self._turn % len(self._endpoints)]
        channel = self._channels.get(endpoint)
        if channel is None:
            channel = self._channels[endpoint] = self._login.dial(endpoint)
        return channel

    async def _metadata(self, at: grpc.aio.Channel, time: float) -> tuple[tuple[str, str], ...]:
        """Returns what a call carries. A password that cannot be read is a mistake in the settings
        before etcd has ever answered, and after that a file that somebody is just replacing:
        raises `SettingsError` for the one and `StoreUnavailable` for the other.
        """
        try:
            return await self._login.metadata(at, time)
        except SettingsError as error:
            if self.answered == float("-inf"):
                raise
            raise StoreUnavailable(str(error)) from error

    def _leave(self, turn: int) -> None:
        """Goes on to the next member, unless somebody did since that turn: two that leave one
        member at the same time would otherwise come back to it where there are two.
        """
        if turn == self._turn:
            self._turn += 1

    async def _call(
        self, ask: Callable[..., Awaitable[Any]], *, attempt: timedelta | None = None
    ) -> Any:
        """Returns what a member answers; raises `StoreUnavailable` when none does.

        `attempt` is how long each may take, and more than the limit of the client where it is
        given.
        """
        loop = asyncio.get_running_loop()
        each = _ATTEMPT if attempt is None else attempt.total_seconds()
        end = loop.time() + (self._limit if attempt is None else max(self._limit, each))
        asked = 0
        while True:
            turn = self._turn
            at = self._channel()
            time = min(each, max(0.1, end - loop.time()))
            sent: tuple[tuple[str, str], ...] = ()
            try:
                sent = await self._metadata(at, time)
                answer = await ask(at, timeout=time, metadata=sent)
            except grpc.aio.AioRpcError as error:
                asked += 1
                passing = error.code() in _PASSING
                if passing:
                    self._leave(turn)
                over = loop.time() + _BETWEEN_TRIES >= end
                tired = not self.patient and asked >= len(self._endpoints)
                again = passing or self._login.is_refused(error, sent)
                if not again or over or tired:
                    raise StoreUnavailable(await self._reason(error, turn)) from error
            else:
                self.answered = loop.time()
                return answer
            await asyncio.sleep(_BETWEEN_TRIES)

    async def _reason(self, error: grpc.aio.AioRpcError, turn: int) -> str:
        reason = None
        if error.code() in _PASSING:
            member = self._endpoints[turn % len(self._endpoints)]
            reason = await self._login.why_unreachable(member, seconds=_ATTEMPT)
        told = reason or f"{error.code().name}: {error.details()}"
        return f"etcd at {','.join(self._endpoints)}: {told}"


async def _range(request: Any, at: grpc.aio.Channel, **how: Any) -> Any:
    return await rpc.KVStub(at).Range(request, **how)


def _end(prefix: bytes) -> bytes:
    """Returns the first key behind all with the prefix, which ends with a slash."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


def _is_too_large(error: BaseException | None) -> bool:
    # The member says the one, its gRPC the other.
    return isinstance(error, grpc.aio.AioRpcError) and any(
        text in (error.details() or "")
        for text in ("request is too large", "received message larger than max")
    )


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
