"""A store in etcd, shared by a fleet: what one collector registers, all others see.

Writes are transactions. Reads answer from an index here, which a watch keeps up to date, also
while etcd is away; what is declared is this collector's alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from datetime import timedelta

from collector_reference.errors import (
    AlreadyRegistered,
    NotReady,
    RestoreRefused,
    StoreUnavailable,
)
from collector_reference.registry.etcd_client import Change, Entry, EtcdClient
from collector_reference.registry.etcd_follow import Following
from collector_reference.registry.etcd_index import EtcdIndex
from collector_reference.registry.etcd_lease import LeasedKeys
from collector_reference.registry.layers import LayeredStore
from collector_reference.registry.notation import EtcdRegistry
from collector_reference.registry.store import Availability, ProtoRecord, ServiceRecord

__all__ = ["UNAVAILABLE_AFTER", "EtcdStore"]

_LOG = logging.getLogger(__name__)

UNAVAILABLE_AFTER = timedelta(seconds=3)
"""How long etcd may give no answer before the collector says that it is not serving."""
_SILENCE = UNAVAILABLE_AFTER.total_seconds()
_BETWEEN_LOOKS = 1.0
_OWN_ECHO = 2.0
"""Seconds that a registration waits for the watch to tell of it too."""


class EtcdStore(LayeredStore):
    """Records in etcd. Belongs to the loop that opens it."""

    def __init__(self, choice: EtcdRegistry, *, limit: timedelta) -> None:
        """`limit` bounds each write, and how long etcd may take to answer at the start."""
        super().__init__()
        self._choice = choice
        self._limit = limit
        self._client = EtcdClient(choice.place, limit=limit)
        self._index = EtcdIndex(choice.place.prefix)
        self._leased = None if choice.lease is None else LeasedKeys(self._client, choice.lease)
        self._following = Following(
            self._client,
            f"{choice.place.prefix}/".encode(),
            replace=self._index.replace,
            apply=self._apply,
        )
        self._looking: asyncio.Task[None] | None = None

    @property
    def generation(self) -> int:
        """Advances with every change to the services, whoever makes it."""
        return self._own.generation + self._index.generation

    async def open(self, availability: Availability) -> None:
        """Loads what there is, and follows it from then on; raises `NotReady`."""
        try:
            if self._leased is not None:
                await self._leased.open()
            await self._following.open(self._limit)
        except StoreUnavailable as error:
            raise NotReady(
                str(self._choice), self._limit.total_seconds(), f"COLLECTOR_REGISTRY: {error}"
            ) from error
        self._looking = asyncio.create_task(self._look_after(availability))

    async def close(self) -> None:
        """Ends the watch and gives a lease back."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._following.close()
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
        return self._following.revision

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
        if not await self._following.reached(revision, within=_OWN_ECHO) and created:
            entry = Entry(key=key, value=value, created=revision, changed=revision)
            self._index.apply(Change(key=key, entry=entry))
        return created

    # Following

    def _apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._index.apply(change)

    async def _look_after(self, availability: Availability) -> None:
        """Tells when etcd gave no answer for too long, and when it does again."""
        clock = asyncio.get_running_loop().time
        while True:
            if await self._client.probe():
                if not self._client.patient:
                    _LOG.info("etcd answers again")
                    self._client.patient = True
                    availability(True)
            elif (
                self._client.patient
                and clock() - self._client.answered > UNAVAILABLE_AFTER.total_seconds()
            ):
                _LOG.warning("etcd gives no answer: registrations fail until it does")
                self._client.patient = False
                availability(False)
            await asyncio.sleep(_BETWEEN_LOOKS)
