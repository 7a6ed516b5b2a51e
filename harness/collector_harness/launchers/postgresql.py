"""The PostgreSQL server of this process: made and started when a database is first needed, and
gone with the process however that ends. Which databases are on it is for `mesh.databases`.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from collector_harness.errors import EnvironmentLacks
from collector_harness.launchers.contract import RUN_MARKER
from collector_harness.launchers.logs import sanitised
from collector_harness.launchers.ports import reserved_port
from collector_harness.launchers.postgresql_install import (
    Identity,
    identity,
    private_folder,
    programs,
)
from collector_harness.launchers.reaper import the_reaper
from collector_harness.launchers.supervised import ending

__all__ = ["PostgreSQL", "the_postgresql"]

_HOST = "127.0.0.1"
_TRIES = 3
_READY_LIMIT = 60.0
_END_LIMIT = 10.0
_PAUSE = 0.02
_MOST_CONNECTIONS = 400

_SETTINGS = {
    "listen_addresses": _HOST,
    "unix_socket_directories": "",
    "max_connections": str(_MOST_CONNECTIONS),
    # What it holds is worth nothing after the run, so it need not survive a loss of power.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # In its folder, so that nothing of it is left in shared memory.
    "dynamic_shared_memory_type": "mmap",
}

_AS_USER = """
import os, sys
user, group, *words = sys.argv[1:]
os.setgroups([])
os.setgid(int(group))
os.setuid(int(user))
os.execv(words[0], words)
"""
"""Becomes a user and then another program."""


class PostgreSQL:
    """A server of a folder of its own, which listens on loopback. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._url = ""
        self._owner = os.getpid()

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def folder(self) -> Path | None:
        """Where its data is; None while there is none."""
        return self._folder

    def start(self) -> str:
        """Starts it unless it runs; returns the URL of its database `postgres`, whose user may make
        others. Takes about a second. Raises `EnvironmentLacks`.
        """
        with self._lock:
            if self.running:
                return self._url
            self._clear()
            try:
                self._begin()
            except BaseException:
                self._clear()
                raise
            return self._url

    def stop(self) -> None:
        """Ends it, and removes its folder. Safe to call again."""
        # A fork of the process that started it has no say in it.
        if os.getpid() == self._owner:
            with self._lock:
                self._clear()

    def _begin(self) -> None:
        who = identity()
        self._folder = folder = private_folder(who)
        the_reaper().guard_folder(folder)
        run = _Running(programs(folder, who), folder, who)
        password = secrets.token_hex(16)
        run.initialise(password)
        for _ in range(_TRIES):
            with reserved_port() as port:
                self._process = run.start(port)
                the_reaper().guard_server(self._process.pid)
                if run.until_ready(self._process):
                    self._url = f"postgresql://postgres:{password}@{_HOST}:{port}/postgres"
                    return
            self._process.wait()
            the_reaper().release_group(self._process.pid)
        raise EnvironmentLacks(f"PostgreSQL did not start: {run.told()}")

    def _clear(self) -> None:
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        if process is not None:
            # Its fast way to end: whoever is connected is cut off.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_END_LIMIT)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait()
            the_reaper().release_group(process.pid)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
            the_reaper().release_folder(folder)


class _Running:
    """The programs of one server."""

    def __init__(self, programs: Path, folder: Path, who: Identity | None) -> None:
        self._programs = programs
        self._data = folder / "data"
        self._log = folder / "log"
        self._folder = folder
        self._who = who
        self._environment = {
            # PGHOST and its like would lead astray.
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "LC_ALL": "C",
            RUN_MARKER: the_reaper().marker,
        }

    def initialise(self, password: str) -> None:
        secret = self._folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        if self._who is not None:
            os.chown(secret, self._who.user, self._who.group)
        words = [
            str(self._programs / "initdb"),
            f"--pgdata={self._data}",
            "--username=postgres",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        with self._log.open("ab") as log:
            status = self._spawn(words, log.fileno()).wait()
        secret.unlink()
        if status != 0:
            raise EnvironmentLacks(
                f"PostgreSQL could not make its files: initdb {ending(status)}: {self.told()}"
            )

    def start(self, port: int) -> subprocess.Popen[bytes]:
        words = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(port)]
        for name, value in _SETTINGS.items():
            words += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            return self._spawn(words, log.fileno())

    def until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Waits until it takes connections; returns False where it ended instead, as when a
        stranger took the port.
        """
        end = time.monotonic() + _READY_LIMIT
        status = self._data / "postmaster.pid"
        while process.poll() is None:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return True
            if time.monotonic() > end:
                raise EnvironmentLacks(
                    f"PostgreSQL was not ready within {_READY_LIMIT:g} s: {self.told()}"
                )
            time.sleep(_PAUSE)
        return False

    def told(self) -> str:
        """Returns the end of what it wrote."""
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return sanitised(" / ".join(lines[-5:]) or "it wrote nothing")

    def _spawn(self, words: list[str], log: int) -> subprocess.Popen[bytes]:
        the_reaper().start()
        if self._who is not None:
            # Not by `user` of Popen: with it Python forks, which gRPC's threads do not survive.
            whose = [str(self._who.user), str(self._who.group)]
            words = [sys.executable, "-I", "-S", "-c", _AS_USER, *whose, *words]
        try:
            return subprocess.Popen(
                words,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                # Ctrl-C is for the harness, which ends the server in its own time.
                start_new_session=True,
            )
        except OSError as error:
            raise EnvironmentLacks(
                f"PostgreSQL could not be started: {error.strerror} ({words[0]})"
            ) from error


_of_this_process = [PostgreSQL()]


def the_postgresql() -> PostgreSQL:
    """Returns the one server of this process, which need not run."""
    return _of_this_process[0]


def _renew_in_fork() -> None:
    _of_this_process[0] = PostgreSQL()


os.register_at_fork(after_in_child=_renew_in_fork)
atexit.register(lambda: the_postgresql().stop())
