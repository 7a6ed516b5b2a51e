"""The way to the registry that the dispatcher asks: proven before traffic, watched afterwards.

Over the loopback or to a remote address: here the two differ only in what a
proof has to show, and in that a remote one is told what this collector serves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import grpc
import grpc.aio

from collector_reference.errors import NotReady, RegistryUnavailable
from collector_reference.registry.store import ServiceRecord
from collector_reference.validation.validators import CachedValidator, ChannelValidator
from collector_reference.wire.registry_pb2 import RegisterServiceRequest
from collector_reference.wire.registry_pb2_grpc import CollectorRegistryStub

__all__ = ["RegistryLink"]

_LOG = logging.getLogger(__name__)
_BETWEEN_TRIES = 0.05
_BETWEEN_LOOKS = timedelta(seconds=1)
_TOLERATED = (grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.UNIMPLEMENTED)


class RegistryLink:
    """A registry at the other end of a channel."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        address: str,
        remote: bool,
        witness: tuple[str, str, str],
        limit: timedelta,
        metadata: tuple[tuple[str, str], ...] = (),
        asker: type[ChannelValidator] = ChannelValidator,
        explain: Callable[[], Awaitable[str | None]] | None = None,
    ) -> None:
        """`witness` is a method (namespace, service, method) that the collector's own registry
        has; `limit` bounds each question, and `asker` is how it is put. `explain` finds out why
        it cannot be reached.
        """
        self._explain = explain
        self._channel = channel
        self._address = address
        self._remote = remote
        self._witness = witness
        self._limit = limit
        self._asker = asker(channel, limit=limit, metadata=metadata)
        self._suspected = asyncio.Event()

    @property
    def channel(self) -> grpc.aio.Channel:
        """The way there, for other questions too."""
        return self._channel

    @property
    def calls(self) -> int:
        """How many times the dispatcher really asked."""
        return self._asker.calls

    def reset_calls(self, calls: int) -> None:
        """Sets what `calls` counts on from."""
        self._asker.calls = calls

    def validator(self, *, life: timedelta, generation: Callable[[], int]) -> CachedValidator:
        """Returns the validator that asks this registry."""
        return CachedValidator(self, life=life, generation=generation)

    async def validate_service_method(
        self, namespace: str, service: str, method: str, *, time_left: timedelta | None = None
    ) -> None:
        """Asks, and has the registry looked at when it gave no answer; see `RegistryValidator`."""
        try:
            await self._asker.validate_service_method(
                namespace, service, method, time_left=time_left
            )
        except RegistryUnavailable:
            self._suspected.set()
            raise

    async def until_proven(self, records: Sequence[ServiceRecord], *, limit: timedelta) -> None:
        """Returns once the registry answered, and a remote one knows the records.

        Raises `NotReady` after the limit, or at once when the own registry does not know its own
        service: that will not mend itself (LOOP-003).
        """
        reason = "no answer"
        try:
            async with asyncio.timeout(limit.total_seconds()):
                while True:
                    try:
                        await self._prove_once(records)
                    except RegistryUnavailable as error:
                        reason = str(error)
                        await asyncio.sleep(_BETWEEN_TRIES)
                    else:
                        return
        except TimeoutError as error:
            if self._explain is not None:
                reason = await self._explain() or reason
            raise NotReady(self._address, limit.total_seconds(), reason) from error

    async def _prove_once(self, records: Sequence[ServiceRecord]) -> None:
        known = await self._asker.prove(*self._witness)
        if self._remote:
            await asyncio.gather(*(self._register(record) for record in records))
        elif not known:
            raise RegistryUnavailable("the registry does not know its own services")

    async def _register(self, record: ServiceRecord) -> None:
        request = RegisterServiceRequest(
            namespace=record.namespace, service_descriptor=record.message.service_descriptor
        )
        try:
            await CollectorRegistryStub(self._channel).RegisterService(
                request, timeout=self._limit.total_seconds()
            )
        except grpc.aio.AioRpcError as error:
            if error.code() not in _TOLERATED:
                raise RegistryUnavailable(f"{error.code().name}: {error.details()}") from error

    async def watch(self, tell: Callable[[bool], Awaitable[None]]) -> None:
        """Tells whether the registry answers whenever that changes, until it is cancelled.

        A remote registry is looked at every second, the own one when a question failed.
        """
        pause = _BETWEEN_LOOKS.total_seconds()
        healthy = True
        while True:
            try:
                async with asyncio.timeout(pause if self._remote or not healthy else None):
                    await self._suspected.wait()
            except TimeoutError:
                pass
            thorough = self._suspected.is_set() or not healthy
            self._suspected.clear()
            before = healthy
            healthy = await self._answers(thorough=thorough)
            if healthy is not before:
                await tell(healthy)
            if not healthy and thorough:
                # Every call that fails suspects again; looking once a second is enough.
                await asyncio.sleep(pause)

    async def _answers(self, *, thorough: bool) -> bool:
        namespace, service, method = self._witness
        try:
            # The plain look leaves the count of validations alone.
            known = await self._asker.prove(namespace, service, method if thorough else None)
        except RegistryUnavailable as error:
            _LOG.warning("the registry at %s cannot be asked: %s", self._address, error)
            return False
        return known or self._remote

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()
