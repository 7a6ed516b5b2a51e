"""A service that the harness starts: a process behind a front, on a port that it is told.

How it shows that it is ready is in `probing`; Python factories are run by `service_host`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from collector_harness.client.credentials import ClientCredentials
from collector_harness.errors import EnvironmentLacks, TargetFailed
from collector_harness.faults.front import Front
from collector_harness.launchers.base import Launch
from collector_harness.launchers.child import Child, executed, not_executed
from collector_harness.launchers.contract import RUN_MARKER
from collector_harness.launchers.logs import LogBuffer
from collector_harness.launchers.pausing import pauses
from collector_harness.launchers.ports import is_taken, reserved_port
from collector_harness.launchers.probing import Probe
from collector_harness.launchers.supervised import Supervised, ending
from collector_harness.topology.references import Reference, filled
from collector_harness.topology.services import Command, PythonFactory, Service
from collector_reference.security.values import TlsSettings

if TYPE_CHECKING:
    from collector_reference import Collector

__all__ = ["ServiceProcess"]

_HOST = "127.0.0.1"
_TRIES = 3
"""Ports that are tried where a stranger took the one that the service was told."""


class ServiceProcess(Supervised):
    """A service that is a process of its own."""

    kind = "service"

    def __init__(
        self,
        service: Service,
        *,
        front: Front | None = None,
        look_up: Callable[[Reference], str],
        variables: Callable[[], Mapping[str, str]],
        credentials: Callable[[], ClientCredentials],
        tls: Callable[[], TlsSettings | None],
    ) -> None:
        """`look_up` resolves references once it is started; `variables` are further ones of its
        environment, which the harness sets.
        """
        self._lines = _LinesOf(service.pattern() if service.ready.by == "log" else None)
        super().__init__(service.name, front=front, log=self._lines)
        self._service = service
        self._look_up = look_up
        self._variables = variables
        self._credentials = credentials
        self._tls = tls

    @property
    def collector(self) -> Collector | None:
        """None: it is none."""
        return None

    @property
    def dials(self) -> bool:
        """False: it has no links."""
        return False

    async def start(self, launch: Launch | None = None) -> None:  # noqa: ARG002 - it is no node
        """Starts the process, and returns when it is ready.

        Raises `TargetFailed` when there is no such program, when it exits or is not ready within
        its time, and `EnvironmentLacks` when its ports were taken again and again; the process is
        gone then.
        """
        for _ in range(_TRIES):
            with reserved_port() as port:
                if await self._ready_on(port):
                    self._front.lead_to(_HOST, port)
                    return
        raise EnvironmentLacks(
            f"service '{self._name}' cannot listen: the {_TRIES} ports that it was given one after "
            "the other were taken by others in the moment before it could use them"
        )

    def forget(self) -> None:
        """Forgets what it wrote, once it has ended and before it serves another case."""
        self._lines.clear()

    async def until_healthy(self) -> None:
        """Returns once it is ready again, as after a pause; raises `TargetFailed`."""
        host, _, port = self._front.address.rpartition(":")
        if self._child is not None:
            await self._until_ready(self._child, host, int(port))

    async def _ready_on(self, port: int) -> bool:
        """Starts it on a port; returns False where it ended because a stranger has the port."""
        self._lines.begin()
        child = await self._spawn(port)
        self._watch(child)
        try:
            await self._until_ready(child, _HOST, port)
        except BaseException:
            self._asked_to_end = True
            ended_alone = not child.running
            await asyncio.shield(child.kill())
            if ended_alone and is_taken(port):
                return False
            raise
        return True

    async def _until_ready(self, child: Child, host: str, port: int) -> None:
        ready = self._service.ready
        probe = Probe(ready, host, port, credentials=self._credentials(), name=self._name)
        try:
            async for _ in pauses(ready.within):
                if not child.running:
                    break
                if ready.by == "log":
                    if self._lines.found:
                        return
                elif await probe.is_ready():
                    return
        finally:
            await probe.close()
        raise await self._not_ready(child, probe)

    async def _not_ready(self, child: Child, probe: Probe) -> TargetFailed:
        if not child.running:
            with suppress(TimeoutError):
                await asyncio.wait_for(child.drained.wait(), timeout=0.5)
            return self._failed(f"{ending(child.exited.result())} before it was ready")
        ready = self._service.ready
        told = probe.last
        if ready.by == "log":
            told = f"it wrote no line that matches {ready.what!r}"
        elif told.startswith("nothing listens"):
            told += ", which it is told by ${port} in its command and by PORT in its environment"
        return self._failed(
            f"was not ready within {ready.within.total_seconds():g} s: {told}; "
            "`ready` says what to wait for, and `within` how long"
        )

    async def _spawn(self, port: int) -> Child:
        words = self._words(port)
        environment = {**os.environ, "PORT": str(port), **self._variables()}
        if (tls := self._tls()) is not None:
            environment |= {"TLS_CERT": str(tls.cert), "TLS_KEY": str(tls.key)}
            if tls.ca is not None:
                environment["TLS_CA"] = str(tls.ca)
            if tls.client_auth:
                environment["TLS_CLIENT_AUTH"] = "require"
        for name, value in self._service.environment:
            environment[name] = self._fill(value, port)
        environment[RUN_MARKER] = self._reaper.marker
        try:
            return await Child.start(
                partial(executed, words, environment),
                log=self._log,
                on_line=_heard,
                reaper=self._reaper,
            )
        except (OSError, ValueError) as error:
            raise self._failed(not_executed(error, words, beside="the scenario")) from error

    def _words(self, port: int) -> list[str]:
        match self._service.start:
            case Command(words=words):
                return [
                    self._fill(word, port).replace("{executable}", sys.executable) for word in words
                ]
            case PythonFactory(reference=reference):
                host = "collector_harness.launchers.service_host"
                return [sys.executable, "-m", host, self._service.protocol, reference]
            case _:  # External services are not launched.
                return []

    def _fill(self, text: str, port: int) -> str:
        def value(reference: Reference) -> str:
            return str(port) if reference.kind == "port" else self._look_up(reference)

        return filled(text, value)


class _LinesOf(LogBuffer):
    """The log of a service, which notices the line by which it says that it is ready."""

    def __init__(self, pattern: re.Pattern[str] | None) -> None:
        super().__init__()
        self._pattern = pattern
        self.found = False

    def begin(self) -> None:
        """Forgets what was found before a new start."""
        self.found = False

    def add(self, line: bytes) -> None:
        super().add(line)
        if self._pattern is not None and not self.found:
            self.found = self._pattern.search(line.decode("utf-8", "replace")) is not None


def _heard(line: bytes) -> None:
    """Its log has the line already."""
