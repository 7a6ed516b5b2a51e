"""Who is a member: entries in etcd that live as long as their collectors.

Whom a collector connects to because of it is not decided here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, unquote

from collector_reference.errors import NotReady, StoreUnavailable
from collector_reference.registry.etcd_client import Change, Entry, EtcdClient
from collector_reference.registry.etcd_follow import Following
from collector_reference.registry.etcd_lease import LeasedKeys
from collector_reference.registry.notation import EtcdMembership

__all__ = ["Member", "Members"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A collector that says that it lives."""

    collector_id: str
    address: str
    """Where it can be dialled."""
    namespaces: tuple[str, ...]
    """What it shares."""


class Members:
    """The members of a fleet, kept up to date, and this collector's own entry among them."""

    def __init__(
        self,
        choice: EtcdMembership,
        *,
        limit: timedelta,
        changed: Callable[[Mapping[str, Member]], None],
    ) -> None:
        """`changed` is told all members by their ids, whenever one comes, changes or goes."""
        self._choice = choice
        self._limit = limit
        self._changed = changed
        self._prefix = f"{choice.place.prefix}/members/".encode()
        self._client = EtcdClient(choice.place, limit=limit)
        self._leased = LeasedKeys(self._client, choice.lease)
        self._following = Following(
            self._client, self._prefix, replace=self._replace, apply=self._apply
        )
        self._members: dict[str, Member] = {}

    async def join(self, me: Member) -> None:
        """Puts its own entry, and follows the others; raises `NotReady`."""
        try:
            await self._leased.open()
            await self.announce(me)
            await self._following.open(self._limit)
        except StoreUnavailable as error:
            await self.leave()
            raise NotReady(
                str(self._choice), self._limit.total_seconds(), f"COLLECTOR_MEMBERSHIP: {error}"
            ) from error

    async def announce(self, me: Member) -> None:
        """Puts its own entry anew; raises `StoreUnavailable`."""
        value = json.dumps({"address": me.address, "namespaces": me.namespaces}).encode()
        await self._leased.put(self._prefix + quote(me.collector_id, safe="").encode(), value)

    async def leave(self) -> None:
        """Takes its own entry away, and stops following. May be called twice."""
        await self._following.close()
        await self._leased.close()
        await self._client.close()

    async def _replace(self, entries: list[Entry]) -> None:
        self._members.clear()
        self._apply([Change(key=entry.key, entry=entry) for entry in entries])

    def _apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            collector_id = unquote(change.key[len(self._prefix) :].decode(errors="replace"))
            if change.entry is None:
                self._members.pop(collector_id, None)
                continue
            member = _member(collector_id, change.entry.value)
            if member is not None:
                self._members[collector_id] = member
        self._changed(dict(self._members))


def _member(collector_id: str, value: bytes) -> Member | None:
    """Returns what an entry says; None, and a line in the log, for one that cannot be read."""
    try:
        entry = json.loads(value)
        address, namespaces = entry["address"], entry["namespaces"]
    except (ValueError, KeyError, TypeError):
        address = namespaces = None
    if not isinstance(address, str) or not isinstance(namespaces, list):
        _LOG.warning("the entry of member '%s' cannot be read", collector_id)
        return None
    return Member(
        collector_id=collector_id, address=address, namespaces=tuple(map(str, namespaces))
    )
