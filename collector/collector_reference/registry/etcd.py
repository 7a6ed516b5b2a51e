"""A store in etcd, shared by a fleet: what one collector registers, all others see.

Writes are transactions. Reads answer from an index here, which a watch keeps up to date, also
while etcd is away; what is declared is this collector's alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from datetime import timedelta

from collector_reference.errors import (
    AlreadyRegistered,
    NotReady,
    RestoreRefused,
    StoreUnavailable,
)
from collector_reference.registry.etcd_client import Change, Entry, EtcdClient, WatchLost
from collector_reference.registry.etcd_index import EtcdIndex
from collector_reference.registry.etcd_lease import LeasedKeys
from collector_reference.registry.layers import LayeredStore
from collector_reference.registry.notation import EtcdRegistry
from collector_reference.registry.store import Availability, ProtoRecord, ServiceRecord

__all__ = ["UNAVAILABLE_AFTER", "EtcdStore"]

_LOG = logging.getLogger(__name__)

UNAVAILABLE_AFTER = timedelta(seconds=3)
"""How long etcd may give no answer before the collector says that it is not serving."""
_BETWEEN_LOOKS = 1.0
_BETWEEN_TRIES = 0.1
_OWN_ECHO = 2.0
"""Seconds that a registration waits for the watch to tell of it too."""


class EtcdStore(LayeredStore):
    """Records in etcd. Belongs to the loop that opens it."""

    def __init__(self, choice: EtcdRegistry, *, limit: timedelta) -> None:
        """`limit` bounds each write, and how long etcd may take to answer at the start."""
        super().__init__()
        self._choice = choice
        self._limit = limit
        self._prefix = f"{choice.place.prefix}/".encode()
        self._client = EtcdClient(choice.place, limit=limit)
        self._index = EtcdIndex(choice.place.prefix)
        self._leased = None if choice.lease is None else LeasedKeys(self._client, choice.lease)
        self._revision = 0
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    @property
    def generation(self) -> int:
        """Advances with every change to the services, whoever makes it."""
        return self._own.generation + self._index.generation

    async def open(self, availability: Availability) -> None:
        """Loads what there is, and follows it from then on; raises `NotReady`."""
        try:
            await self._load()
            if self._leased is not None:
                await self._leased.open()
        except StoreUnavailable as error:
            await self._client.close()
            raise NotReady(
                str(self._choice), self._limit.total_seconds(), f"COLLECTOR_REGISTRY: {error}"
            ) from error
        standing = asyncio.Event()
        self._tasks = (
            asyncio.create_task(self._follow(standing)),
            asyncio.create_task(self._look_after(availability)),
        )
        try:
            async with asyncio.timeout(self._limit.total_seconds()):
                await standing.wait()
        except TimeoutError as error:
            raise NotReady(
                str(self._choice), self._limit.total_seconds(), "COLLECTOR_REGISTRY: no watch"
            ) from error

    async def close(self) -> None:
        """Ends the watch and gives a lease back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._leased is not None:
            await self._leased.close()
        await self._client.close()

    async def add_service(self, record: ServiceRecord) -> None:
        """Stores it; raises `AlreadyRegistered` and changes nothing when its key is taken.

        Raises `StoreUnavailable` when etcd does not confirm it within the limit.
        """
        self._refuse_own(record)
        if not await self._create(*self._index.service_entry(record)):
            raise AlreadyRegistered(f"service '{record.message.id}' is already registered")

    async def add_proto(self, record: ProtoRecord) -> None:
        """Stores it; raises as `add_service` does."""
        if not await self._create(*self._index.proto_entry(record)):
            raise AlreadyRegistered(f"proto '{record.message.id}' is already registered")

    def checkpoint(self) -> object:
        """Returns a value that `restore` refuses."""
        return self._revision

    def restore(self, checkpoint: object) -> None:  # noqa: ARG002 - there is no way back
        """Raises `RestoreRefused`: the records are not this collector's alone."""
        raise RestoreRefused("a registry in etcd belongs to other collectors too")

    def _kept(self, namespace: str, service_name: str) -> ServiceRecord | None:
        return self._index.service(namespace, service_name)

    def _kept_services(self, namespace: str | None) -> Collection[ServiceRecord]:
        return self._index.services(namespace)

    def _kept_proto(self, namespace: str, file_name: str) -> ProtoRecord | None:
        return self._index.proto(namespace, file_name)

    # Writing

    async def _create(self, key: bytes, value: bytes) -> bool:
        keys = self._leased or self._client
        created, revision = await keys.create(key, value)
        # What was answered can be read here, and in the order in which all others read it.
        if not await self._told(revision) and created:
            entry = Entry(key=key, value=value, created=revision, changed=revision)
            self._index.apply(Change(key=key, entry=entry))
        return created

    async def _told(self, revision: int) -> bool:
        """Returns whether the watch got to that revision before long."""
        if self._revision >= revision:
            return True
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[told] = revision
        try:
            async with asyncio.timeout(_OWN_ECHO):
                await told
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(told, None)
        return True

    # Following

    async def _load(self) -> None:
        revision, entries = await self._client.load(self._prefix)
        self._index.replace(entries)
        self._reached(revision)

    async def _follow(self, standing: asyncio.Event) -> None:
        """Keeps the index up to date, over every loss of etcd or of a member."""
        compacted = False
        while True:
            try:
                if compacted:
                    await self._load()
                    compacted = False
                async with contextlib.aclosing(
                    self._client.watch(self._prefix, self._revision + 1)
                ) as changes:
                    async for revision, batch in changes:
                        standing.set()
                        for change in batch:
                            self._index.apply(change)
                        self._reached(revision)
            except WatchLost as error:
                _LOG.info("the watch of the registry in etcd is lost (%s); watching anew", error)
                compacted = compacted or error.compacted
            except StoreUnavailable as error:
                _LOG.info("the registry cannot be loaded: %s", error)
            await asyncio.sleep(_BETWEEN_TRIES)

    def _reached(self, revision: int) -> None:
        self._revision = max(self._revision, revision)
        for told, wanted in self._waiting.items():
            if wanted <= self._revision and not told.done():
                told.set_result(None)

    async def _look_after(self, availability: Availability) -> None:
        """Tells when etcd gave no answer for too long, and when it does again."""
        clock = asyncio.get_running_loop().time
        answered = clock()
        while True:
            if await self._client.probe():
                answered = clock()
                if not self._client.patient:
                    _LOG.info("etcd answers again")
                    self._client.patient = True
                    availability(True)
            elif self._client.patient and clock() - answered > UNAVAILABLE_AFTER.total_seconds():
                _LOG.warning("etcd gives no answer: registrations fail until it does")
                self._client.patient = False
                availability(False)
            await asyncio.sleep(_BETWEEN_LOOKS)
