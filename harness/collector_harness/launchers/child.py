"""One operating system process in a process group of its own: started, heard, signalled, ended.

What it is told and what its ready line means is in `contract`; which node it is, in
`process`.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Protocol

from collector_harness.launchers.logs import LineSplitter, LogBuffer
from collector_harness.launchers.reaper import Reaper

__all__ = ["Child", "Started", "executed", "not_executed"]

OnLine = Callable[[bytes], None]


class Started(Protocol):
    """A process that was just started, the leader of a group of its own."""

    @property
    def pid(self) -> int:
        """Its process id, which stays its own until it is reaped."""

    @property
    def stdout(self) -> IO[bytes]:
        """The reading end of its standard output."""

    @property
    def stderr(self) -> IO[bytes]:
        """The reading end of its standard error."""

    def await_end(self) -> None:
        """Blocks until it has ended, and does not reap it."""

    def reap(self) -> int:
        """Reaps it; returns its exit status, negative for a signal."""


class _Executed:
    """A program that this process executed."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.pid = self._process.pid
        self.stdout: IO[bytes] = self._process.stdout
        self.stderr: IO[bytes] = self._process.stderr

    def await_end(self) -> None:
        # Seen, but not yet reaped: its number still belongs to it, so the rest of its group
        # can be ended without hitting a stranger.
        # (macOS has waitid from Python 3.13 on; before, the group is ended after the reaping.)
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()

    def reap(self) -> int:
        return self._process.wait()


async def executed(command: Sequence[str], environment: Mapping[str, str]) -> Started:
    """Starts a command; raises `OSError` when there is no such program."""
    # Not asyncio's own: its wait() may hang on a grandchild that holds a pipe.
    return _Executed(command, environment)


def not_executed(
    error: OSError | ValueError, command: Sequence[str], *, beside: str | None = None
) -> str:
    """Returns why a command could not be started, and where its program was looked for: `beside`
    what, before the current folder.
    """
    reason = getattr(error, "strerror", None) or error
    told = f"could not be started: {reason} (command: {shlex.join(command)})"
    if not isinstance(error, FileNotFoundError) or Path(command[0]).is_absolute():
        return told
    if "/" not in command[0]:
        return f"{told}; '{command[0]}' is in no folder of PATH"
    first = "" if beside is None else f"beside {beside} and "
    return f"{told}; it was looked for {first}from {Path.cwd()}"


class Child:
    """A running process. Its whole group ends with it."""

    def __init__(
        self, process: Started, *, reaper: Reaper, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._process = process
        self._reaper = reaper
        self._reaping = threading.Lock()
        self._reaped = False
        self._streams: list[asyncio.ReadTransport] = []
        self._open_streams = 0
        self.exited: asyncio.Future[int] = loop.create_future()
        """The exit status as `subprocess` gives it: negative for a signal."""
        self.drained = asyncio.Event()
        """Set when both of its streams have ended."""

    @classmethod
    async def start(
        cls,
        start: Callable[[], Awaitable[Started]],
        *,
        log: LogBuffer,
        on_line: OnLine,
        reaper: Reaper,
    ) -> Child:
        """Starts a process; raises `OSError` when that cannot be.

        Lines of both streams go to `log`; whole lines of standard output go to `on_line` too.
        """
        loop = asyncio.get_running_loop()
        # The reaper lives before the child does, so there is no moment in which a dying
        # harness would leave the child: its environment carries the run's marker.
        reaper.start()
        process = await start()
        reaper.guard_group(process.pid)
        child = cls(process, reaper=reaper, loop=loop)
        threading.Thread(
            target=child._watch, args=(loop,), name=f"collector-harness-{process.pid}", daemon=True
        ).start()
        try:
            await child._listen(process.stdout, _Reader(log, on_line, child._stream_ended))
            await child._listen(process.stderr, _Reader(log, None, child._stream_ended))
        except BaseException:
            child.signal(signal.SIGKILL)
            raise
        return child

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet, as far as the loop knows."""
        return not self.exited.done()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the whole group; nothing happens where it has ended."""
        with self._reaping:
            if not self._reaped:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)

    async def kill(self) -> int:
        """Ends the group at once, paused or not; returns the exit status."""
        self.signal(signal.SIGKILL)
        return await self._ended()

    async def terminate(self, grace: timedelta) -> int:
        """Asks it to end, and ends it when `grace` is over; returns the exit status."""
        self.signal(signal.SIGTERM)
        # A paused process hears the request only when it goes on.
        self.signal(signal.SIGCONT)
        await asyncio.wait([self.exited], timeout=grace.total_seconds())
        return await self.kill()

    async def _ended(self) -> int:
        status = await asyncio.shield(self.exited)
        # The group is dead, so its pipes end now; a grandchild that left the group may hold
        # them open, and is not waited for.
        with suppress(TimeoutError):
            await asyncio.wait_for(self.drained.wait(), timeout=0.5)
        for stream in self._streams:
            stream.close()
        return status

    async def _listen(self, stream: IO[bytes] | None, reader: _Reader) -> None:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: reader, stream)
        self._open_streams += 1
        self._streams.append(transport)

    def _stream_ended(self) -> None:
        self._open_streams -= 1
        if self._open_streams == 0:
            self.drained.set()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._process.await_end()
        with self._reaping:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            status = self._process.reap()
            self._reaped = True
        self._reaper.release_group(self._process.pid)
        # A loop that is closed by now has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._tell, status)

    def _tell(self, status: int) -> None:
        if not self.exited.done():
            self.exited.set_result(status)


class _Reader(asyncio.Protocol):
    """One stream of the process, cut into lines."""

    def __init__(self, log: LogBuffer, on_line: OnLine | None, on_end: Callable[[], None]) -> None:
        self._log = log
        self._on_line = on_line
        self._on_end = on_end
        self._splitter = LineSplitter()

    def data_received(self, data: bytes) -> None:
        self._pass_on(self._splitter.feed(data))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._pass_on(self._splitter.end())
        self._on_end()

    def _pass_on(self, lines: list[tuple[bytes, bool]]) -> None:
        for line, whole in lines:
            self._log.add(line)
            if whole and self._on_line is not None:
                self._on_line(line)
