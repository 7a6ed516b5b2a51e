"""A service that somebody else started: it can be called, and disturbed on the way to it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from collector_harness.client.credentials import ClientCredentials
from collector_harness.errors import InvalidInput, Problem, TargetFailed
from collector_harness.faults.front import Front
from collector_harness.launchers.base import Launch
from collector_harness.launchers.pausing import pauses
from collector_harness.launchers.probing import Probe
from collector_harness.targets import split_address
from collector_harness.topology.services import External, Service

if TYPE_CHECKING:
    from collector_reference import Collector

__all__ = ["ExternalService"]


class ExternalService:
    """A service that is running already and goes on after the harness has left."""

    def __init__(
        self,
        service: Service,
        *,
        credentials: Callable[[], ClientCredentials],
        front: Front | None = None,
    ) -> None:
        """`front` is where the harness and the mesh reach it, where faults need one."""
        assert isinstance(service.start, External)
        self._service = service
        self._address = service.start.address
        self._credentials = credentials
        self._front = front

    @property
    def name(self) -> str:
        """Its name in the topology."""
        return self._service.name

    @property
    def address(self) -> str:
        """Where it is reached."""
        return self._address if self._front is None else self._front.address

    @property
    def front(self) -> Front | None:
        """The doors to it, where faults need some."""
        return self._front

    @property
    def collector(self) -> Collector | None:
        """None: it is none."""
        return None

    @property
    def dials(self) -> bool:
        """False: nothing can be told to it."""
        return False

    @property
    def alive(self) -> bool:
        """True, as far as the harness has a say in it."""
        return True

    @property
    def failure(self) -> TargetFailed | None:
        """None: nobody here watches its process."""
        return None

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

    async def kill(self) -> None:
        """Raises `InvalidInput`."""
        raise self._not_ours("killed")

    async def move(self, *, keep: Collection[str] = ()) -> None:  # noqa: ARG002
        """Raises `InvalidInput`."""
        raise self._not_ours("moved")

    async def pause(self) -> None:
        """Raises `InvalidInput`."""
        raise self._not_ours("paused")

    async def resume(self) -> None:
        """Raises `InvalidInput`."""
        raise self._not_ours("resumed")

    async def end(self, grace: timedelta | None = None) -> None:  # noqa: ARG002
        """Raises `InvalidInput`."""
        raise self._not_ours("stopped")

    async def stop(self, grace: timedelta | None) -> None:  # noqa: ARG002
        """Leaves it running."""
        if self._front is not None:
            await self._front.close()

    def logs(self) -> str:
        """Nothing: its streams are not ours."""
        return ""

    def log_tail(self, count: int = 20) -> str:  # noqa: ARG002
        """Nothing: its streams are not ours."""
        return ""

    def _not_ours(self, what: str) -> InvalidInput:
        return InvalidInput(
            Problem(
                message=f"service '{self.name}' cannot be {what}: it was started by somebody else",
                hint="let the harness start it, by `command` or `python`",
            )
        )
