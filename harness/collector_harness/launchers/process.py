"""A node that is a process of its own, started by the launch contract behind a front address.

The front exists before the process does and stays over its restarts, so that start
order and cycles do not matter and a link can be broken from outside.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from collector_harness.errors import TargetFailed
from collector_harness.faults.front import Front
from collector_harness.launchers.base import DEFAULT_READY_LIMIT, Launch
from collector_harness.launchers.child import Child
from collector_harness.launchers.contract import environment_for, ready_address
from collector_harness.launchers.reaper import Reaper
from collector_harness.launchers.supervised import Supervised, ending
from collector_harness.targets import ExecTarget

if TYPE_CHECKING:
    from collector_reference import Collector

__all__ = ["ProcessNode"]


class ProcessNode(Supervised):
    """A launched collector in any language."""

    def __init__(
        self,
        name: str,
        target: ExecTarget,
        *,
        ready_limit: timedelta = DEFAULT_READY_LIMIT,
        reaper: Reaper | None = None,
        front: Front | None = None,
    ) -> None:
        super().__init__(name, reaper=reaper, front=front)
        self._command = [word.replace("{executable}", sys.executable) for word in target.command]
        self._ready_limit = ready_limit

    @property
    def collector(self) -> Collector | None:
        """None: it lives elsewhere."""
        return None

    @property
    def dials(self) -> bool:
        """True: it connects by COLLECTOR_CONNECT."""
        return True

    async def start(self, launch: Launch) -> None:
        """Starts the process, and returns when its ready line came.

        Raises `TargetFailed` when there is no such program, when it exits, names an address
        that cannot be used, or is not ready within the limit; the process is gone then.
        """
        ready: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

        def hear(line: bytes) -> None:
            if ready.done():
                return
            try:
                place = ready_address(line)
            except ValueError as error:
                ready.set_exception(
                    self._failed(f"printed a ready line that cannot be used: {error}")
                )
            else:
                if place is not None:
                    ready.set_result(place)

        child = await self._spawn(launch, hear)
        self._watch(child)
        try:
            first: set[asyncio.Future[Any]] = {ready, child.exited}
            await asyncio.wait(
                first,
                timeout=self._ready_limit.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not ready.done():
                raise await self._not_ready(child)
            self._front.lead_to(*ready.result())
        except BaseException:
            self._asked_to_end = True
            # Cancelled or failed, nothing half-started stays.
            await asyncio.shield(child.kill())
            # Whoever starts it is told by the error.
            self._failure = None
            raise
        finally:
            ready.cancel()

    async def _spawn(self, launch: Launch, hear: Callable[[bytes], None]) -> Child:
        environment = environment_for(
            launch, advertise=self.address, base=os.environ, marker=self._reaper.marker
        )
        try:
            return await Child.start(
                self._command,
                environment=environment,
                log=self._log,
                on_line=hear,
                reaper=self._reaper,
            )
        except OSError as error:
            raise self._failed(
                f"could not be started: {error.strerror or error} "
                f"(command: {shlex.join(self._command)})"
            ) from error

    async def _not_ready(self, child: Child) -> TargetFailed:
        if not child.running:
            with suppress(TimeoutError):
                await asyncio.wait_for(child.drained.wait(), timeout=0.5)
            return self._failed(f"{ending(child.exited.result())} before it was ready")
        limit = self._ready_limit.total_seconds()
        return self._failed(
            f"did not print its ready line within {limit:g} s; a collector prints "
            "'collector listening on HOST:PORT' on standard output once it is ready, "
            "and flushes it"
        )
