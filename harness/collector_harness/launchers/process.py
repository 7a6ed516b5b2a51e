"""A node that is a process of its own, started by the launch contract behind a front address.

The front exists before the process does and stays over its restarts, so that start
order and cycles do not matter and a link can be broken from outside.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from collector_harness.client.credentials import ClientCredentials
from collector_harness.errors import TargetFailed
from collector_harness.faults.front import Front
from collector_harness.launchers.base import DEFAULT_READY_LIMIT, Launch, NodeSecurity
from collector_harness.launchers.child import Child, executed, not_executed
from collector_harness.launchers.contract import (
    as_flags,
    environment_for,
    ready_address,
    usable_address,
)
from collector_harness.launchers.forkserver import the_forkserver
from collector_harness.launchers.own_sockets import CAN_LOOK, connections_to_itself
from collector_harness.launchers.pausing import pauses
from collector_harness.launchers.ports import reserved_port
from collector_harness.launchers.probing import Probe
from collector_harness.launchers.reaper import Reaper
from collector_harness.launchers.supervised import Supervised, ending
from collector_harness.targets import ExecTarget, Ready
from collector_harness.topology import services as external

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
        self._target = target
        self._ready = target.ready or Ready()
        self._ready_limit = self._ready.within or ready_limit
        self._port: int | None = None
        self._bound: int | None = None

    @property
    def collector(self) -> Collector | None:
        """None: it lives elsewhere."""
        return None

    @property
    def dials(self) -> bool:
        """True: it connects by COLLECTOR_CONNECT."""
        return True

    def own_connections(self) -> int | None:
        """Returns how many connections to its own port it holds open (LOOP-001); None where this
        system does not tell, or it does not run.
        """
        if not CAN_LOOK or self.pid is None or self._bound is None:
            return None
        return connections_to_itself(self.pid, self._bound)

    async def start(self, launch: Launch) -> None:
        """Starts the process, and returns when its ready line came.

        Raises `TargetFailed` when there is no such program, when it exits, names an address
        that cannot be used, or is not ready within the limit; the process is gone then.
        """
        with ExitStack() as until_ready:
            if _wants_port(self._target):
                self._port = until_ready.enter_context(reserved_port())
            await self._start(launch)

    async def _start(self, launch: Launch) -> None:
        ready: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

        def hear(line: bytes) -> None:
            if ready.done():
                return
            try:
                place = self._place_in(line)
            except ValueError as error:
                ready.set_exception(
                    self._failed(f"printed a ready line that cannot be used: {error}")
                )
            else:
                if place is not None:
                    ready.set_result(place)

        child = await self._spawn(launch, hear)
        self._watch(child)
        asking: asyncio.Task[None] | None = None
        if self._ready.port is not None:
            port = self._port if self._ready.port == "{port}" else self._ready.port
            assert port is not None
            asking = asyncio.create_task(self._ask(port, ready, _own_access(launch.security)))
        try:
            first: set[asyncio.Future[Any]] = {ready, child.exited}
            await asyncio.wait(
                first,
                timeout=self._ready_limit.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not ready.done():
                raise await self._not_ready(child)
            self._bound = ready.result()[1]
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
            if asking is not None:
                asking.cancel()

    def _place_in(self, line: bytes) -> tuple[str, int] | None:
        if self._ready.port is not None:
            return None
        if self._ready.line is None:
            return ready_address(line)
        found = re.search(self._ready.line, line[:4096].decode("utf-8", "backslashreplace"))
        if found is None:
            return None
        named = found.groupdict()
        return usable_address(named.get("address") or f"127.0.0.1:{named['port']}")

    async def _ask(
        self, port: int, ready: asyncio.Future[tuple[str, int]], credentials: ClientCredentials
    ) -> None:
        """Tells `ready` once something listens on the port, and is healthy where that is asked."""
        rule = external.Ready(by="health" if self._ready.health else "port")
        probe = Probe(rule, "127.0.0.1", port, credentials=credentials, name=self._name)
        try:
            async for _ in pauses(self._ready_limit):
                if await probe.is_ready() and not ready.done():
                    ready.set_result(("127.0.0.1", port))
                    return
        finally:
            await probe.close()

    async def _spawn(self, launch: Launch, hear: Callable[[bytes], None]) -> Child:
        environment = environment_for(
            launch, advertise=self.address, base=os.environ, marker=self._reaper.marker
        )
        command, environment = as_flags(self._target, environment, port=self._port)
        try:
            return await Child.start(
                partial(the_forkserver().fork, environment)
                if self._target.forked and the_forkserver().can_fork(environment)
                else partial(executed, command, environment),
                log=self._log,
                on_line=hear,
                reaper=self._reaper,
            )
        except OSError as error:
            raise self._failed(not_executed(error, command)) from error

    async def _not_ready(self, child: Child) -> TargetFailed:
        if not child.running:
            with suppress(TimeoutError):
                await asyncio.wait_for(child.drained.wait(), timeout=0.5)
            return self._failed(f"{ending(child.exited.result())} before it was ready")
        limit = self._ready_limit.total_seconds()
        if self._ready.port is not None:
            return self._failed(f"does not answer on its port after {limit:g} s")
        if self._ready.line is not None:
            return self._failed(f"printed no line like '{self._ready.line}' within {limit:g} s")
        return self._failed(
            f"did not print its ready line within {limit:g} s; a collector prints "
            "'collector listening on HOST:PORT' on standard output once it is ready, "
            "and flushes it"
        )


def _own_access(security: NodeSecurity) -> ClientCredentials:
    """Returns how a node that is told this is asked for its health: as it would call itself."""
    tls, own = security.tls, security.own_token
    return ClientCredentials(
        tls=tls is not None,
        ca=tls.ca if tls else None,
        cert=tls.cert if tls else None,
        key=tls.key if tls else None,
        token=own.file.read_text(encoding="utf-8") if own and own.file else None,
    )


def _wants_port(target: ExecTarget) -> bool:
    words = [*target.command, *(word for _, flag in target.flags for word in flag)]
    ready = target.ready is not None and target.ready.port == "{port}"
    return ready or any("{port}" in text for text in (*words, *dict(target.environment).values()))
