"""A service that somebody else started: it can be called, and disturbed on the way to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from collector_harness.client.credentials import ClientCredentials
from collector_harness.errors import TargetFailed
from collector_harness.faults.front import Front
from collector_harness.launchers.base import Launch
from collector_harness.launchers.pausing import pauses
from collector_harness.launchers.probing import Probe
from collector_harness.launchers.unlaunched import Unlaunched
from collector_harness.targets import split_address
from collector_harness.topology.services import External, Service

__all__ = ["ExternalService"]


class ExternalService(Unlaunched):
    """A service that is running already and goes on after the harness has left."""

    kind = "service"
    remedy = "let the harness start it, by `command` or `python`"

    def __init__(
        self,
        service: Service,
        *,
        credentials: Callable[[], ClientCredentials],
        front: Front | None = None,
    ) -> None:
        """`front` is where the harness and the mesh reach it, where faults need one."""
        assert isinstance(service.start, External)
        super().__init__(service.name)
        self._service = service
        self._address = service.start.address
        self._credentials = credentials
        self._front = front

    @property
    def address(self) -> str:
        """Where it is reached."""
        return self._address if self._front is None else self._front.address

    @property
    def front(self) -> Front | None:
        """The doors to it, where faults need some."""
        return self._front

    async def open(self) -> None:
        """Binds its front, where it has one."""
        if self._front is not None:
            await self._front.open()

    async def start(self, launch: Launch | None = None) -> None:  # noqa: ARG002 - it is no node
        """Starts nothing; returns when it is ready, and raises `TargetFailed` when it is not."""
        host, port = split_address(self._address, what=f"service '{self.name}'")
        ready = self._service.ready
        probe = Probe(ready, host, port, credentials=self._credentials(), name=self.name)
        try:
            async for _ in pauses(ready.within):
                if await probe.is_ready():
                    break
            else:
                raise TargetFailed(
                    f"service '{self.name}' at {self._address} is not ready within "
                    f"{ready.within.total_seconds():g} s: {probe.last}; the harness does not "
                    "start it: is it running there?",
                    node=self.name,
                )
        finally:
            await probe.close()
        if self._front is not None:
            self._front.lead_to(host, port)

    def forget(self) -> None:
        """Nothing is known of what it wrote."""

    async def until_healthy(self) -> None:
        """Returns once it is ready."""
        await self.start()

    async def stop(self, grace: timedelta | None) -> None:  # noqa: ARG002 - it is not ended
        """Leaves it running."""
        if self._front is not None:
            await self._front.close()
