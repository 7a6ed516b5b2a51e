"""Keeping up with the keys below a prefix in etcd: loaded once, then followed by a watch.

Over every loss of etcd or of a member; what the keys mean is the business of who follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from collector_reference.errors import StoreUnavailable
from collector_reference.registry.etcd_client import Change, Entry, EtcdClient, WatchLost

__all__ = ["Following"]

_LOG = logging.getLogger(__name__)
_BETWEEN_TRIES = 0.1


class Following:
    """What is known of a prefix, and up to which revision."""

    def __init__(
        self,
        client: EtcdClient,
        prefix: bytes,
        *,
        replace: Callable[[list[Entry]], Awaitable[None]],
        apply: Callable[[Sequence[Change]], None],
    ) -> None:
        """`replace` is given all that there is, to keep or to take apart, and `apply` is told what
        changed since; both on the loop.
        """
        self._client = client
        self._prefix = prefix
        self._replace = replace
        self._apply = apply
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._task: asyncio.Task[None] | None = None
        self.revision = 0
        """Everything up to it is known."""

    async def open(self, limit: timedelta) -> None:
        """Returns once all is loaded and the watch stands; raises `StoreUnavailable`."""
        await self._load()
        standing = asyncio.Event()
        self._task = asyncio.create_task(self._follow(standing))
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await standing.wait()
        except TimeoutError as error:
            await self.close()
            raise StoreUnavailable("etcd does not let its keys be watched") from error

    async def close(self) -> None:
        """Stops following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def reached(self, revision: int, *, within: float) -> bool:
        """Returns whether everything up to that revision is known before so many seconds passed."""
        if self.revision >= revision:
            return True
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[told] = revision
        try:
            async with asyncio.timeout(within):
                await told
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(told, None)
        return True

    async def _load(self) -> None:
        revision, entries = await self._client.load(self._prefix)
        await self._replace(entries)
        self._reach(revision)

    async def _follow(self, standing: asyncio.Event) -> None:
        compacted = False
        while True:
            try:
                if compacted:
                    await self._load()
                    compacted = False
                async with contextlib.aclosing(
                    self._client.watch(self._prefix, self.revision + 1)
                ) as changes:
                    async for revision, batch in changes:
                        standing.set()
                        if batch:
                            self._apply(batch)
                        self._reach(revision)
            except WatchLost as error:
                _LOG.info("a watch in etcd is lost (%s); watching anew", error)
                compacted = compacted or error.compacted
            except StoreUnavailable as error:
                _LOG.info("the keys in etcd cannot be loaded: %s", error)
            await asyncio.sleep(_BETWEEN_TRIES)

    def _reach(self, revision: int) -> None:
        self.revision = max(self.revision, revision)
        for told, wanted in self._waiting.items():
            if wanted <= self.revision and not told.done():
                told.set_result(None)
