"""Reference collectors as processes without a new interpreter for each: the harness's side of the
forkserver, one small process per harness process, started with the first of them.

What it forks behaves as what `python -m collector_reference` starts. Where that cannot be (another
system than Linux, variables that an interpreter reads at its start) `ForkServer.can_fork` says so.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import IO

from collector_harness.launchers.contract import RUN_MARKER
from collector_harness.launchers.reaper import the_reaper

__all__ = ["ForkServer", "Forked", "the_forkserver"]

_PROGRAM = Path(__file__).with_name("forkserver_process.py")
_READ_AT_START = ("PYTHON", "LD_", "GLIBC_", "MALLOC_")
"""How variables begin that mean nothing to an interpreter that runs already."""
_ENDING_SECONDS = 1.0
"""How long a process that was killed may take until that is known."""


class Forked:
    """A process that the forkserver started, as `launchers.child` wants it."""

    def __init__(
        self, pid: int, *, report: socket.socket, stdout: IO[bytes], stderr: IO[bytes]
    ) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self._report = report
        self._status = -int(signal.SIGKILL)

    def await_end(self) -> None:
        """Blocks until it has ended; its number still belongs to it then."""
        told = _line(self._report)
        if told:
            self._status = int(told)
        else:
            # Nobody would see its end any more.
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """Lets go of its number; returns how it ended, negative for a signal."""
        with suppress(OSError):
            self._report.shutdown(socket.SHUT_WR)
        _line(self._report)
        self._report.close()
        return self._status

    def abandon(self) -> None:
        """Has the forkserver end it, and forgets it."""
        self.stdout.close()
        self.stderr.close()
        self._report.close()


class ForkServer:
    """The forkserver of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._born_with: dict[str, str] = {}

    @property
    def pid(self) -> int | None:
        """Its process id; None while nothing was forked."""
        return self._process.pid if self._process else None

    def can_fork(self, environment: Mapping[str, str]) -> bool:
        """Returns whether a process with this environment can be a fork."""
        born_with = self._born_with if self._runs() else _read_at_start(os.environ)
        return sys.platform == "linux" and _read_at_start(environment) == born_with

    async def fork(self, environment: Mapping[str, str]) -> Forked:
        """Returns a new reference collector, which is told this environment.

        Raises `OSError` when it cannot be started.
        """
        begun: Future[Forked] = Future()

        def begin() -> None:
            try:
                begun.set_result(self._fork(environment))
            except BaseException as error:  # noqa: BLE001 - who waits is told
                begun.set_exception(error)

        threading.Thread(target=begin, name="collector-harness-fork", daemon=True).start()
        try:
            return await asyncio.shield(asyncio.wrap_future(begun))
        except asyncio.CancelledError:
            begun.add_done_callback(_abandon)
            raise

    def close(self) -> None:
        """Ends it; what it forked and what still runs is then the reaper's."""
        with self._lock:
            process, self._process = self._process, None
            self._let_go()
        if process is not None:
            process.kill()
            process.wait()
            the_reaper().release_group(process.pid)

    def let_go(self) -> None:
        """Gives up its end of the connection; for a fork of this process."""
        self._let_go()

    def _fork(self, environment: Mapping[str, str]) -> Forked:
        request = json.dumps(
            {
                "environment": dict(environment),
                "folder": str(Path.cwd()),
                "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE),
            }
        ).encode()
        process = self._process
        try:
            return self._forked(request)
        except OSError:
            if process is None or not _ends(process):
                raise
        # It was ending when it was asked: there is another one now.
        return self._forked(request)

    def _forked(self, request: bytes) -> Forked:
        output, its_output = os.pipe()
        errors, its_errors = os.pipe()
        report, its_report = socket.socketpair()
        stdout, stderr = open(output, "rb", 0), open(errors, "rb", 0)  # noqa: PTH123, SIM115
        try:
            try:
                self._ask(request, [its_output, its_errors, its_report.fileno()])
            finally:
                os.close(its_output)
                os.close(its_errors)
                its_report.close()
            told = _line(report)
            if not told:
                raise OSError("the forkserver could not fork")
        except BaseException:
            for each in (stdout, stderr, report):
                each.close()
            raise
        return Forked(int(told), report=report, stdout=stdout, stderr=stderr)

    def _ask(self, request: bytes, fds: list[int]) -> None:
        with self._lock:
            self._revive()
            assert self._control is not None
            socket.send_fds(self._control, [len(request).to_bytes(4, "big")], fds)
            self._control.sendall(request)

    def _runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _revive(self) -> None:
        """Starts it where it does not run."""
        if self._runs():
            return
        self._let_go()
        self._born_with = _read_at_start(os.environ)
        reaper = the_reaper()
        if self._process is not None:
            reaper.release_group(self._process.pid)
        reaper.start()
        self._control, its_control = socket.socketpair()
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("COLLECTOR_")
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_PROGRAM)],
                stdin=its_control.fileno(),
                stdout=subprocess.DEVNULL,
                # Ctrl-C and the end of the terminal are for the harness.
                start_new_session=True,
                # By the marker its forks are found too.
                env={**environment, RUN_MARKER: reaper.marker},
            )
        finally:
            its_control.close()
        reaper.guard_group(self._process.pid)

    def _let_go(self) -> None:
        control, self._control = self._control, None
        if control is not None:
            control.close()


def _abandon(begun: Future[Forked]) -> None:
    if begun.exception() is None:
        begun.result().abandon()


def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Tells whether a process has ended, or does so within a moment."""
    try:
        process.wait(_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _line(report: socket.socket) -> bytes:
    """Returns what is told next; nothing where nothing is told any more."""
    line = b""
    with suppress(OSError):
        while (byte := report.recv(1)) not in (b"", b"\n"):
            line += byte
    return line


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}


_of_this_process = [ForkServer()]


def the_forkserver() -> ForkServer:
    """Returns the one forkserver of this process."""
    return _of_this_process[0]


def _renew_in_fork() -> None:
    the_forkserver().let_go()
    _of_this_process[0] = ForkServer()


os.register_at_fork(after_in_child=_renew_in_fork)
# After the reaper's, so before it: what is left is then the reaper's.
atexit.register(lambda: the_forkserver().close())
