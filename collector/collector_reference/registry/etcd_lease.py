"""Keys that live as long as who put them: bound to one lease, renewed, and put again when lost.

Which keys these are is the business of the store and of membership.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta

from collector_reference.errors import StoreUnavailable
from collector_reference.registry.etcd_client import EtcdClient

__all__ = ["LeasedKeys"]

_LOG = logging.getLogger(__name__)


class LeasedKeys:
    """The keys of one lease."""

    def __init__(self, client: EtcdClient, life: timedelta) -> None:
        self._client = client
        self._life = life
        self._lease = 0
        self._created: dict[bytes, bytes] = {}
        self._put: dict[bytes, bytes] = {}
        self._renewing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Takes the lease, and renews it from then on; raises `StoreUnavailable`."""
        self._lease = await self._client.grant(self._life)
        self._renewing = asyncio.create_task(self._renew())

    async def close(self) -> None:
        """Gives the lease back, and the keys with it. May be called twice."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
            self._renewing = None
            await self._client.revoke(self._lease)

    async def create(self, key: bytes, value: bytes) -> tuple[bool, int]:
        """Puts the value unless the key exists; see `EtcdClient.create`."""
        created, revision = await self._client.create(key, value, lease=self._lease)
        if created:
            self._created[key] = value
        return created, revision

    async def put(self, key: bytes, value: bytes) -> None:
        """Puts the value, in place of the one that is there."""
        await self._client.put(key, value, lease=self._lease)
        self._put[key] = value

    async def _renew(self) -> None:
        pause = self._life.total_seconds() / 3
        while True:
            await asyncio.sleep(pause)
            with contextlib.suppress(StoreUnavailable):
                if not await self._client.renew(self._lease):
                    await self._begin_anew()

    async def _begin_anew(self) -> None:
        """After the lease ran out, while etcd could not be reached for longer than it lives."""
        _LOG.warning("a lease in etcd ran out; what it held is put again")
        self._lease = await self._client.grant(self._life)
        for key, value in list(self._put.items()):
            await self._client.put(key, value, lease=self._lease)
        for key, value in list(self._created.items()):
            created, _ = await self._client.create(key, value, lease=self._lease)
            if not created:
                del self._created[key]
                _LOG.warning("the key %r belongs to somebody else now", key)
