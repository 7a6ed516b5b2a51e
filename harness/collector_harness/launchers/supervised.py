"""What every process of a mesh has in common: a front, a child, its log, and how it ends.

What the child is told and when it is ready is for those that are made of this.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Collection
from datetime import timedelta

from collector_harness.errors import TargetFailed
from collector_harness.faults.front import Front
from collector_harness.launchers.base import DEFAULT_GRACE
from collector_harness.launchers.child import Child
from collector_harness.launchers.logs import LogBuffer, sanitised
from collector_harness.launchers.pausing import pauses
from collector_harness.launchers.reaper import Reaper, the_reaper
from collector_harness.launchers.standstill import stands_still

__all__ = ["Supervised", "ending"]

_STOP_LIMIT = timedelta(seconds=5)


class Supervised:
    """A process behind a front address, which exists before it does and stays over restarts."""

    kind = "node"
    """What messages call it."""

    def __init__(
        self,
        name: str,
        *,
        reaper: Reaper | None = None,
        front: Front | None = None,
        log: LogBuffer | None = None,
    ) -> None:
        self._name = name
        self._reaper = reaper or the_reaper()
        self._front = front or Front()
        self._log = log or LogBuffer()
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
        """Stops it by SIGSTOP, and returns once it stands still; connections to it stay open and
        are not answered.
        """
        child = self._child
        if child is not None:
            child.signal(signal.SIGSTOP)
            # The signal reaches each of its threads in its own time.
            async for _ in pauses(_STOP_LIMIT):
                if stands_still(child.pid):
                    return

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

    def _failed(self, what: str) -> TargetFailed:
        return TargetFailed(
            f"{self.kind} '{self._name}' {sanitised(what)}",
            node=self._name,
            log_tail=self.log_tail(),
        )

    def _note_end(self, child: Child) -> None:
        if child is not self._child:
            return
        # Its port may become a stranger's.
        self._front.lead_nowhere()
        if not self._asked_to_end:
            self._failure = self._failed(f"died: it {ending(child.exited.result())}")

    def _watch(self, child: Child) -> None:
        """From now on the child is the one that runs, and its end is noticed."""
        self._asked_to_end = False
        self._failure = None
        self._child = child
        child.exited.add_done_callback(lambda _: self._note_end(child))


def ending(status: int) -> str:
    """Returns in words how a process ended, by its exit status; negative for a signal."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
