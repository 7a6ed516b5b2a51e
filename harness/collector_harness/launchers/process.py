"""A node that is a process of its own, started by the launch contract behind a front address.

The front exists before the process does and stays over its restarts, so that start
order and cycles do not matter and a link can be broken from outside.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from collector_harness.errors import TargetFailed
from collector_harness.faults.front import Front
from collector_harness.launchers.base import DEFAULT_GRACE, DEFAULT_READY_LIMIT, Launch
from collector_harness.launchers.child import Child
from collector_harness.launchers.contract import environment_for, ready_address
from collector_harness.launchers.logs import LogBuffer, sanitised
from collector_harness.launchers.reaper import Reaper, the_reaper
from collector_harness.targets import ExecTarget

if TYPE_CHECKING:
    from collector_reference import Collector

__all__ = ["ProcessNode"]


class ProcessNode:
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
        self._name = name
        self._command = [word.replace("{executable}", sys.executable) for word in target.command]
        self._ready_limit = ready_limit
        self._reaper = reaper or the_reaper()
        self._front = front or Front()
        self._log = LogBuffer()
        self._child: Child | None = None
        self._asked_to_end = False
        self._failure: TargetFailed | None = None

    async def open(self) -> None:
        """Binds the front address; connections to it are reset until the process is ready."""
        await self._front.open()

    @property
    def name(self) -> str:
        """The node's name."""
        return self._name

    @property
    def address(self) -> str:
        """The front address."""
        return self._front.address

    @property
    def front(self) -> Front:
        """The doors to it."""
        return self._front

    @property
    def collector(self) -> Collector | None:
        """None: it lives elsewhere."""
        return None

    @property
    def dials(self) -> bool:
        """True: it connects by COLLECTOR_CONNECT."""
        return True

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._child.pid if self._child and self._child.running else None

    @property
    def alive(self) -> bool:
        """Whether its process runs, paused or not."""
        return self._child is not None and self._child.running

    @property
    def failure(self) -> TargetFailed | None:
        """Why it died, where nobody asked it to."""
        return self._failure

    async def start(self, launch: Launch) -> None:
        """Starts the process, and returns when its ready line came.

        Raises `TargetFailed` when there is no such program, when it exits, names an address
        that cannot be used, or is not ready within the limit; the process is gone then.
        """
        self._asked_to_end = False
        self._failure = None
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
        self._child = child
        child.exited.add_done_callback(lambda _: self._note_end(child))
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
            raise
        finally:
            ready.cancel()

    async def kill(self) -> None:
        """Ends it by SIGKILL."""
        self._asked_to_end = True
        self._front.lead_nowhere()
        if self._child is not None:
            await self._child.kill()

    async def move(self, *, keep: Collection[str] = ()) -> None:
        """Binds its front at another address."""
        await self._front.move(keep=keep)

    async def pause(self) -> None:
        """Stops it by SIGSTOP; connections to it stay open and are not answered."""
        if self._child is not None:
            self._child.signal(signal.SIGSTOP)

    async def resume(self) -> None:
        """Lets it go on by SIGCONT."""
        if self._child is not None:
            self._child.signal(signal.SIGCONT)

    async def end(self, grace: timedelta | None = None) -> int | None:
        """Ends it by SIGTERM, and by SIGKILL after the grace; the front address stays.

        Returns the exit status, negative for a signal; None when it was never started.
        """
        self._asked_to_end = True
        if self._child is None:
            return None
        return await self._child.terminate(DEFAULT_GRACE if grace is None else grace)

    async def stop(self, grace: timedelta | None) -> None:
        """Ends it by SIGTERM, and by SIGKILL after the grace; closes the front address."""
        try:
            await self.end(grace)
        except asyncio.CancelledError:
            if self._child is not None:
                self._child.signal(signal.SIGKILL)
            raise
        finally:
            await self._front.close()

    def logs(self) -> str:
        """Both of its streams, escaped for a terminal."""
        return self._log.text()

    def log_tail(self, count: int = 20) -> str:
        """Its last lines, escaped for a terminal."""
        return self._log.tail(count)

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
            return self._failed(f"{_ending(child.exited.result())} before it was ready")
        limit = self._ready_limit.total_seconds()
        return self._failed(
            f"did not print its ready line within {limit:g} s; a collector prints "
            "'collector listening on HOST:PORT' on standard output once it is ready, "
            "and flushes it"
        )

    def _failed(self, what: str) -> TargetFailed:
        return TargetFailed(
            f"node '{self._name}' {sanitised(what)}", node=self._name, log_tail=self.log_tail()
        )

    def _note_end(self, child: Child) -> None:
        if child is not self._child:
            return
        # Its port may become a stranger's.
        self._front.lead_nowhere()
        if not self._asked_to_end:
            self._failure = self._failed(f"died: it {_ending(child.exited.result())}")


def _ending(status: int) -> str:
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
