"""A node in this process: the reference collector, or another one with the same Python API, on
a real socket of 127.0.0.1.
"""

from __future__ import annotations

import contextvars
import inspect
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

import grpc.aio

from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem, TargetFailed
from collector_harness.faults.front import Front
from collector_harness.launchers.base import Launch
from collector_harness.launchers.implementations import load_attribute
from collector_harness.launchers.logs import LogBuffer, sanitised
from collector_harness.targets import PythonTarget, Reference
from collector_harness.topology.values import Node, Served
from collector_reference import Collector, CollectorSettings, Dialect
from collector_reference.errors import BindError, CollectorError, SettingsError
from collector_reference.observability.values import MetricsSettings
from collector_reference.registry.notation import MEMORY, parse_registry

__all__ = ["InProcessNode"]

Factory = Callable[[CollectorSettings], object]

_log_of_node: contextvars.ContextVar[LogBuffer] = contextvars.ContextVar("log_of_node")
"""Set where a node is started, and inherited by every task that it starts: so a record finds
the node that it belongs to, although all nodes of a process log to the same loggers."""


class InProcessNode:
    """A collector that lives in this process."""

    def __init__(
        self,
        name: str,
        target: PythonTarget | Reference = Reference(),  # noqa: B008 - it is frozen
        *,
        front: Front | None = None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        """`interceptors` are for the reference collector only."""
        self._name = name
        self._target = target
        self._front = front
        self._interceptors = tuple(interceptors)
        self._bound = ""
        self._collector: Collector | None = None
        self._log = LogBuffer()
        _listen_to_logs()

    @property
    def name(self) -> str:
        """The node's name."""
        return self._name

    @property
    def address(self) -> str:
        """Where others dial it; empty before its first start, unless it has a front."""
        return self._bound if self._front is None else self._front.address

    @property
    def front(self) -> Front | None:
        """The doors to it, where faults need some."""
        return self._front

    @property
    def collector(self) -> Collector | None:
        """The collector while it runs."""
        return self._collector

    @property
    def dials(self) -> bool:
        """False: who launches it calls `connect_to`."""
        return False

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._collector is not None

    @property
    def failure(self) -> TargetFailed | None:
        """None: it does not die alone."""
        return None

    async def open(self) -> None:
        """Binds its front, where it has one; it is bound itself at its start."""
        if self._front is not None:
            await self._front.open()

    async def start(self, launch: Launch) -> None:
        """Makes the collector with its handlers and starts it, on its former address where it
        had one.

        Raises `InvalidInput` for handlers and factories that cannot be used, `EnvironmentLacks`
        when its address is taken, `TargetFailed` when it does not start.
        """
        _log_of_node.set(self._log)
        node = launch.node
        collector = await self._made(self._settings(launch))
        for served in node.serves:
            what = f"the handlers of namespace '{served.namespace}' on node '{node.name}'"
            implementation = served.implementation
            try:
                if isinstance(implementation, str):
                    implementation = load_attribute(implementation, what=what)
                collector.add_implementation(served.namespace, implementation)
            except Exception as error:
                if not isinstance(error, InvalidInput):
                    told = Problem(
                        message=f"{what} cannot be used: {type(error).__name__}: {error}"
                    )
                    error = InvalidInput(told)
                error.about = _about(node, served)
                raise error from error.__cause__
        try:
            await collector.start()
        except BindError as error:
            raise EnvironmentLacks(
                f"node '{node.name}' cannot listen: {error}; end what uses the port, "
                "or use port 0 for a free one"
            ) from error
        except CollectorError as error:
            raise self._not_started(str(error)) from error
        self._collector = collector
        self._bound = collector.address
        if self._front is not None:
            host, _, port = self._bound.rpartition(":")
            self._front.lead_to(host, int(port))

    async def kill(self) -> None:
        """Closes its sockets at once; calls in flight fail."""
        collector, self._collector = self._collector, None
        if self._front is not None:
            self._front.lead_nowhere()
        if collector is not None:
            await collector.kill()

    async def move(self, *, keep: Collection[str] = ()) -> None:
        """Forgets where it was bound."""
        self._bound = ""
        if self._front is not None:
            await self._front.move(keep=keep)

    async def pause(self) -> None:
        """Raises `InvalidInput`: what shares the harness's process cannot be stopped alone. Its
        mesh can let the bytes at its front stand still instead.
        """
        raise _not_here(self._name, "paused")

    async def resume(self) -> None:
        """Raises `InvalidInput`, as `pause` does."""
        raise _not_here(self._name, "resumed")

    async def end(self, grace: timedelta | None = None) -> None:
        """Stops it gracefully, at once without a grace; its address stays its own."""
        collector, self._collector = self._collector, None
        if collector is None:
            return
        if grace is None:
            await collector.kill()
        else:
            await collector.stop(grace)

    async def stop(self, grace: timedelta | None) -> None:
        """Stops it for good, at once without a grace."""
        try:
            await self.end(grace)
        finally:
            if self._front is not None:
                await self._front.close()

    def logs(self) -> str:
        """What it logged, escaped for a terminal."""
        return self._log.text()

    def log_tail(self, count: int = 20) -> str:
        """The last lines that it logged, escaped for a terminal."""
        return self._log.tail(count)

    def _settings(self, launch: Launch) -> CollectorSettings:
        node = launch.node
        settings = CollectorSettings(
            collector_id=node.name,
            listen=self._bound or "127.0.0.1:0",
            namespaces=node.namespaces,
            advertise=None if self._front is None else self._front.address,
            connect=launch.connect,
            probe=node.probe,
            validation=node.validation,
            dialect=Dialect(node.dialect or "native"),
            tls=launch.security.tls,
            tokens=launch.security.tokens,
            own_token=launch.security.own_token,
            registry_address=launch.registry_address,
            registry=MEMORY if node.store is None else parse_registry(node.store),
            metrics=self._metrics(launch),
        )
        return replace(settings, **dict(self._target.settings))  # type: ignore[arg-type] # by name

    def _metrics(self, launch: Launch) -> MetricsSettings | None:
        # Of the variables of its environment this one means something for a node in process.
        listen = dict(launch.node.environment).get("COLLECTOR_METRICS", "off")
        return None if listen in ("", "off") else MetricsSettings(listen=listen)

    async def _made(self, settings: CollectorSettings) -> Collector:
        if isinstance(self._target, Reference):
            try:
                return Collector(settings, interceptors=self._interceptors)
            except SettingsError as error:
                raise InvalidInput(
                    Problem(message=f"node '{self._name}' cannot be started: {error.problem}")
                ) from error
        what = f"the target of node '{self._name}'"
        factory = load_attribute(f"{self._target.module}:{self._target.factory}", what=what)
        if not callable(factory):
            raise InvalidInput(Problem(message=f"{what} is no factory: it cannot be called"))
        try:
            made = cast(Factory, factory)(settings)
            if inspect.isawaitable(made):
                made = await made
        except Exception as error:
            raise self._not_started(
                f"its factory raised {type(error).__name__}: {error}"
            ) from error
        lacks = [
            name
            for name in (
                "start",
                "stop",
                "kill",
                "disconnect",
                "connect_to",
                "connections",
                "address",
            )
            if name not in dir(made)
        ]
        if lacks:
            raise InvalidInput(
                Problem(
                    message=f"{what} made a {type(made).__name__}, which lacks {', '.join(lacks)}",
                    hint="a factory returns a collector_reference.Collector, or something like it",
                )
            )
        return cast(Collector, made)

    def _not_started(self, reason: str) -> TargetFailed:
        return TargetFailed(
            f"node '{self._name}' did not start: {sanitised(reason)}",
            node=self._name,
            log_tail=self.log_tail(),
        )


def _about(node: Node, served: Served) -> tuple[str | int, ...]:
    """Returns what leads to handlers in the topology: their namespace, and their place in it."""
    alike = [each for each in node.serves if each.namespace == served.namespace]
    return (node.name, "serves", served.namespace, alike.index(served))


class _NodeLogs(logging.Handler):
    """Hands each record to the log of the node in whose task it was made."""

    def emit(self, record: logging.LogRecord) -> None:
        log = _log_of_node.get(None)
        if log is not None:
            for line in self.format(record).splitlines():
                log.add(line.encode("utf-8", "surrogatepass"))


_node_logs = _NodeLogs()
_node_logs.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))


def _listen_to_logs() -> None:
    # addHandler leaves out one that is there already.
    logging.getLogger("collector_reference").addHandler(_node_logs)


def _not_here(name: str, what: str) -> InvalidInput:
    return InvalidInput(
        Problem(
            message=f"node '{name}' cannot be {what}: it shares the harness's process",
            hint="plan for it with `faults=True`, or make it a process: "
            "collector: 'exec:{executable} -m collector_reference'",
        )
    )
