"""The harness's side of the reaper: one small process per harness process, started with the
first node that is a process, that clears up when the harness dies in any way at all.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from pathlib import Path

from collector_harness.launchers.contract import RUN_MARKER

__all__ = ["Reaper", "the_reaper"]

_PROGRAM = Path(__file__).with_name("reaper_process.py")


class Reaper:
    """Guards process groups and temporary folders against the death of this process."""

    def __init__(self) -> None:
        self.marker = str(uuid.uuid4())
        """The value of `RUN_MARKER` in the environment of everything that this run starts."""
        self._lock = threading.Lock()
        self._pipe: int | None = None
        """The writing end. Nobody else may hold it: its closing is the end of the harness."""
        self._process: subprocess.Popen[bytes] | None = None
        self._guarded: dict[str, list[str | int]] = {}

    @property
    def pid(self) -> int | None:
        """The reaper's process id; None while nothing was guarded."""
        return self._process.pid if self._process else None

    def guard_group(self, group: int) -> None:
        """From now on the process group ends when this process is gone."""
        self._guard(["group", group], key=f"group {group}")

    def guard_server(self, group: int) -> None:
        """As `guard_group`, for a PostgreSQL server: it is asked to end first, so that it gives
        back its shared memory.
        """
        self._guard(["server", group], key=f"group {group}")

    def release_group(self, group: int) -> None:
        """Says that the process group has ended."""
        self._release(["ended", group], key=f"group {group}")

    def guard_folder(self, path: Path) -> None:
        """From now on the folder is removed when this process is gone."""
        self._guard(["folder", str(path)], key=f"folder {path}")

    def release_folder(self, path: Path) -> None:
        """Says that the folder is gone, or is to stay."""
        self._release(["forget", str(path)], key=f"folder {path}")

    def start(self) -> None:
        """Starts it unless it runs, so that what is started next is guarded from its birth by
        the marker in its environment.
        """
        with self._lock:
            self._revive()

    def close(self) -> None:
        """Lets the reaper clear up what is still guarded, and waits until it has ended."""
        with self._lock:
            process, self._process = self._process, None
            self._close_pipe()
            self._guarded.clear()
        if process is not None:
            process.wait()

    def let_go(self) -> None:
        """Gives up its end of the pipe; for a fork of this process, which guards nothing."""
        self._close_pipe()

    def _guard(self, message: list[str | int], *, key: str) -> None:
        with self._lock:
            self._revive()
            self._guarded[key] = message
            self._write(message)

    def _release(self, message: list[str | int], *, key: str) -> None:
        with self._lock:
            if self._guarded.pop(key, None) is not None:
                self._write(message)

    def _revive(self) -> None:
        """Starts it where it does not run, and tells it everything again."""
        if self._process is not None and self._process.poll() is None:
            return
        self._close_pipe()
        reading, self._pipe = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM), f"{RUN_MARKER}={self.marker}"],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Ctrl-C and the end of the terminal are for the harness, not for its reaper.
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if name != RUN_MARKER},
            )
        finally:
            os.close(reading)
        for message in self._guarded.values():
            self._write(message)

    def _write(self, message: list[str | int]) -> None:
        if self._pipe is not None:
            # A reaper that dies in between is found by the next guard.
            with suppress(BrokenPipeError):
                os.write(self._pipe, json.dumps(message).encode() + b"\n")

    def _close_pipe(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            os.close(pipe)


_of_this_process = [Reaper()]


def the_reaper() -> Reaper:
    """Returns the one reaper of this process."""
    return _of_this_process[0]


def _renew_in_fork() -> None:
    the_reaper().let_go()
    _of_this_process[0] = Reaper()


os.register_at_fork(after_in_child=_renew_in_fork)
atexit.register(lambda: the_reaper().close())
