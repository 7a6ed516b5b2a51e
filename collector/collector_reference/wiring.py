"""The wiring of a collector: its ways to the registry, proven before traffic and watched after
(LOOP-001, LOOP-003), and what its health service says because of them (OPS-001).

How a registry is asked is in `validation/`, how a service is looked at in `loopback_health`.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

from collector_reference.channels import dial, why_unreachable
from collector_reference.descriptors import REGISTRY
from collector_reference.dispatch.service import DispatcherService
from collector_reference.introspection import Health
from collector_reference.loopback_health import LOOK, LoopbackHealth
from collector_reference.own_services import own_services
from collector_reference.registry.store import RegistryStore
from collector_reference.settings import CollectorSettings, ValidatorKind
from collector_reference.validation.interceptor import LOOPBACK_HEADER, PortGuard
from collector_reference.validation.registry_link import RegistryLink
from collector_reference.validation.validators import (
    CachedValidator,
    ChannelValidator,
    RegisterProbe,
)

if TYPE_CHECKING:
    from collector_reference.security.outgoing import Outgoing

__all__ = ["Wiring"]

_ASKERS = {
    ValidatorKind.VALIDATE: ChannelValidator,
    ValidatorKind.REGISTER_PROBE: RegisterProbe,
}


class Wiring:
    """What connects the pieces of one collector over its own port."""

    def __init__(
        self,
        settings: CollectorSettings,
        *,
        store: RegistryStore,
        dispatcher: DispatcherService,
        guard: PortGuard,
        health: Health,
        loopback_token: str,
        outgoing: Outgoing | None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._dispatcher = dispatcher
        self._guard = guard
        self._health = health
        self._loopback_header = ((LOOPBACK_HEADER, loopback_token),)
        self._outgoing = outgoing
        self._links: tuple[RegistryLink, ...] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._answering = False
        self._writable = True
        self._absent: frozenset[str] = frozenset()

    # Proof and watch

    async def prove(self, address: str) -> None:
        """Returns once the registry has answered over the port at the address, and a remote one
        has too; has the dispatcher ask it from then on. Raises `NotReady` after the limit.
        """
        own = self._link(address, remote=False)
        self._links = (own,)
        remote_address = self._settings.registry_address
        if self._settings.validation and remote_address is not None:
            self._links = (own, self._link(remote_address, remote=True))
        own_namespace = self._settings.system_namespace
        records = [record for record in self._store.declared() if record.namespace != own_namespace]
        for link in self._links:
            await link.until_proven(records, limit=self._settings.ready_limit)
        self._answering = True
        if self._settings.validation and self._dispatcher.validator is None:
            self._dispatcher.validator = self._links[-1].validator(
                life=self._settings.validation_cache, generation=lambda: self._store.generation
            )

    def watch(self) -> None:
        """Watches the registry that is asked, and every service on the port, from now on."""
        if self._settings.validation:
            self._tasks.append(asyncio.create_task(self._links[-1].watch(self._tell_answering)))
        if self._settings.health_interval:
            self._tasks.append(asyncio.create_task(self.looks().run(self._tell_absent)))

    def looks(self) -> LoopbackHealth:
        """Returns the look at every service on the port."""
        return LoopbackHealth(
            self._links[0].channel,
            own_services(self._settings),
            every=self._settings.health_interval.total_seconds(),
            limit=self._settings.connect_limit.total_seconds(),
            metadata=(*self._loopback_header, LOOK),
            uncount=self._guard.uncount,
        )

    def _link(self, address: str, *, remote: bool) -> RegistryLink:
        return RegistryLink(
            dial(
                address,
                max_message_bytes=self._settings.max_message_bytes,
                outgoing=self._outgoing,
                own_port=not remote,
            ),
            address=address,
            remote=remote,
            witness=(self._settings.system_namespace, REGISTRY, "ValidateMethod"),
            limit=self._settings.connect_limit,
            metadata=() if remote else self._loopback_header,
            asker=_ASKERS[self._settings.validator],
            explain=functools.partial(
                why_unreachable, address, outgoing=self._outgoing, seconds=1.0
            ),
        )

    # Questions that were asked

    @property
    def calls(self) -> int:
        """How often the dispatcher really asked a registry, by an RPC."""
        return sum(link.calls for link in self._links)

    def reset_calls(self, calls: int) -> None:
        """Sets what `calls` counts on from."""
        for link in self._links:
            link.reset_calls(0)
        self._links[-1].reset_calls(calls)

    def validations(self) -> dict[str, int]:
        """Returns how many validations asked the registry, and how many answers were believed."""
        validator = self._dispatcher.validator
        return {
            "asked": self.calls,
            "cached": validator.hits if isinstance(validator, CachedValidator) else 0,
        }

    # What health says

    async def say_health(self) -> None:
        """Says what is known of the registry, the store and the services."""
        if not self._guard.draining:
            await self._health.set(serving=self._answering and self._writable, absent=self._absent)

    def store_changed(self, writable: bool) -> None:
        """Takes note of whether the store can be written."""
        self._writable = writable
        telling = asyncio.create_task(self.say_health())
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell_answering(self, answering: bool) -> None:
        self._answering = answering
        await self.say_health()

    async def _tell_absent(self, absent: frozenset[str]) -> None:
        self._absent = absent
        await self.say_health()

    # The end

    async def rest(self) -> None:
        """Watches no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Watches no more, and closes the ways to the registries."""
        await self.rest()
        await asyncio.gather(*(link.close() for link in self._links))
