"""The program of the forkserver: it has imported the reference collector and nothing else, and
becomes one collector after the other by forks of itself.

It runs alone (`python -P forkserver_process.py`) with one thread, no event loop and nothing of gRPC
in use, so that a fork of it is as good as a new interpreter. Its standard input is a socket that
only the harness holds; the end of that is the end of the forkserver, and of what it forked. What a
request holds stands in `forkserver.py`, the harness's side.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import resource
import selectors
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

PRELOADED = (
    "collector_reference.__main__",
    "collector_reference.observability.call_log",
    "collector_reference.observability.calls",
    "collector_reference.observability.metrics",
    "collector_reference.observability.observation",
    "zipfile",
)
"""What a collector imports until it is ready."""

_HEADER = 4
_FDS = 3


class ForkServer:
    """The processes that were forked, until the harness has let go of them."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._ended, self._wake = os.pipe()
        self._reports: dict[int, int] = {}
        """The process of each connection on which an end is told."""
        self._unreported: set[int] = set()
        self._abandoned: set[int] = set()

    def run(self) -> dict[str, Any] | None:
        """Forks as it is asked; returns in each fork what it is to become, and None here, when
        the harness is gone and with it all that was forked.
        """
        os.set_blocking(self._wake, False)
        os.set_blocking(self._ended, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._ended, selectors.EVENT_READ)
        asked = True
        while asked or self._reports or self._abandoned:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    request = self._request()
                    if request is None:
                        self._selector.unregister(self._control)
                        asked = False
                    elif (become := self._fork(*request)) is not None:
                        return become
                elif key.fd == self._ended:
                    with suppress(BlockingIOError):
                        os.read(self._ended, 4096)
                    self._look()
                elif key.fd in self._reports:
                    self._let_go(key.fd)
        return None

    def _request(self) -> tuple[dict[str, Any], list[int]] | None:
        """Returns what is asked for, with the ends of its streams; None when nobody asks more."""
        header, ancillary, _, _ = self._control.recvmsg(
            _HEADER, socket.CMSG_SPACE(_FDS * array.array("i").itemsize)
        )
        if len(header) < _HEADER:
            return None
        fds = array.array("i")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data)
        body = b""
        size = int.from_bytes(header, "big")
        while len(body) < size:
            piece = self._control.recv(size - len(body))
            if not piece:
                return None
            body += piece
        return json.loads(body), list(fds)

    def _fork(self, request: dict[str, Any], fds: list[int]) -> dict[str, Any] | None:
        output, errors, report = fds
        pid = -1
        # The harness sees the end of its connection where there is no room for one more process.
        with suppress(OSError):
            pid = os.fork()
        if pid == 0:
            self._begin(output, errors, report)
            return request
        os.close(output)
        os.close(errors)
        if pid < 0:
            os.close(report)
            return None
        self._reports[report] = pid
        self._unreported.add(pid)
        self._selector.register(report, selectors.EVENT_READ)
        return None

    def _begin(self, output: int, errors: int, report: int) -> None:
        """Leaves behind, in a fork, all that is the forkserver's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.write(report, b"%d\n" % os.getpid())
        nothing = os.open(os.devnull, os.O_RDONLY)
        for place, fd in enumerate((nothing, output, errors)):
            os.dup2(fd, place)
        # Forgotten before they are closed here: their numbers are others' later.
        self._control.detach()
        self._selector.close()
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))

    def _look(self) -> None:
        """Tells of those that have ended; they keep their numbers until they are let go of."""
        for report, pid in list(self._reports.items()):
            if pid not in self._unreported:
                continue
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                continue
            self._unreported.discard(pid)
            status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            with suppress(OSError):
                os.write(report, b"%d\n" % status)
        for pid in list(self._abandoned):
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                self._abandoned.discard(pid)

    def _let_go(self, report: int) -> None:
        """The harness does not look at a process any more: it ends, and is reaped."""
        self._selector.unregister(report)
        pid = self._reports.pop(report)
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        if pid in self._unreported:
            self._unreported.discard(pid)
            self._abandoned.add(pid)
            self._look()
        else:
            os.waitpid(pid, 0)
        # That it is closed tells that the number is free.
        os.close(report)


def become(request: dict[str, Any]) -> int:
    """Makes this process what `python -m collector_reference` would be, and runs it."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    limit, most = request["descriptors"]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    sys.path.insert(0, request["folder"])
    sys.argv = ["collector_reference"]
    sys.orig_argv = [sys.executable, "-m", "collector_reference"]
    status: int = importlib.import_module("collector_reference.__main__").main()
    return status


def main() -> int:
    """Imports, and forks until the harness is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for name in PRELOADED:
        importlib.import_module(name)
    # What is there now is there in every fork: looking through it would only copy it.
    gc.collect()
    gc.freeze()
    request = ForkServer(socket.socket(fileno=os.dup(0))).run()
    return 0 if request is None else become(request)


if __name__ == "__main__":
    sys.exit(main())
