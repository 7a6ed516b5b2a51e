"""Metrics for Prometheus, on a port of their own (the extra `metrics`).

Each collector has a registry of its own: collectors of one process, and the application's
own metrics, never mix.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from collector_reference.addresses import dialable, parse_listen
from collector_reference.errors import BindError, MissingExtra
from collector_reference.observability.calls import Call
from collector_reference.observability.values import MetricsSettings
from collector_reference.status import CanonicalStatus

__all__ = ["Metrics", "Numbers"]

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
_READING_LIMIT = 2.0
_UNKNOWN = "unknown"
_UNNAMED = "unnamed"
_NAMES = frozenset(each.value for each in CanonicalStatus)


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """What a collector has counted, at the moment of a scrape."""

    connections: int
    established: int
    """Of these, how many could take a call."""
    validations: Mapping[str, int]
    """How often a method was validated, by `asked` and `cached`."""
    executions: Mapping[tuple[str, str, str], int]
    """How often each handler ran, by namespace, service and method."""


class Metrics:
    """The metrics of one collector, and the page that shows them."""

    def __init__(self, settings: MetricsSettings, *, collector_id: str) -> None:
        """Raises `MissingExtra` where prometheus-client is not installed."""
        try:
            import prometheus_client
        except ImportError as error:
            raise MissingExtra("metrics", "COLLECTOR_METRICS") from error
        self._settings = settings
        self._library = prometheus_client
        self.registry = prometheus_client.CollectorRegistry()
        """The registry of this collector alone."""
        self._calls = prometheus_client.Counter(
            "collector_calls",
            "Calls on the port, the loopback's included, by RPC and what they came to.",
            ("rpc", "status"),
            registry=self.registry,
        )
        self._seconds = prometheus_client.Histogram(
            "collector_call_seconds",
            "How long calls took.",
            ("rpc",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        prometheus_client.Info(
            "collector", "Which collector this is.", registry=self.registry
        ).info({"id": collector_id})
        self._known: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._server: Any = None
        self._thread: Any = None
        self.address = ""
        """Where the page is, once it is open."""

    def __call__(self, call: Call) -> None:
        """Counts a call. Paths that callers make up share one name, and so do statuses without a
        name, so that neither can fill the memory.
        """
        rpc = call.rpc if call.known else _UNKNOWN
        # A peer may answer with any number.
        status = call.status if call.status in _NAMES else _UNNAMED
        key = (rpc, status)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = (
                self._calls.labels(rpc, status),
                self._seconds.labels(rpc),
            )
        found[0].inc()
        found[1].observe(call.seconds)

    def open(self, read: Callable[[], Numbers]) -> None:
        """Opens the page; `read` is asked on the present loop at each scrape.

        Raises `BindError` when the port cannot be listened on.
        """
        self.registry.register(_Reader(read, asyncio.get_running_loop()))
        listen = parse_listen(self._settings.listen)
        try:
            self._server, self._thread = self._library.start_http_server(
                listen.port, addr=listen.host, registry=self.registry
            )
        except OSError as error:
            raise BindError(
                self._settings.listen, f"{error.strerror or error} (COLLECTOR_METRICS)"
            ) from error
        self.address = dialable(listen.host, self._server.server_port)

    async def close(self) -> None:
        """Closes the page and its port."""
        server, self._server = self._server, None
        if server is not None:
            # In a thread, because a scrape under way waits for this loop.
            await asyncio.to_thread(server.shutdown)
            await asyncio.to_thread(self._thread.join)
            server.server_close()


class _Reader:
    """Reads a collector's numbers at each scrape, in the scraper's thread."""

    def __init__(self, read: Callable[[], Numbers], loop: asyncio.AbstractEventLoop) -> None:
        self._read = read
        self._loop = loop

    def describe(self) -> Iterable[Any]:
        """Returns nothing: without it the library would read at once, on the loop."""
        return ()

    def collect(self) -> Iterable[Any]:
        """Yields the numbers as metrics; none while the collector is too busy to tell."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        try:
            numbers = asyncio.run_coroutine_threadsafe(self._on_loop(), self._loop).result(
                _READING_LIMIT
            )
        except (concurrent.futures.TimeoutError, RuntimeError):
            return
        connections = GaugeMetricFamily(
            "collector_connections", "Peers in the connection table.", labels=("state",)
        )
        connections.add_metric(("established",), numbers.established)
        connections.add_metric(("down",), numbers.connections - numbers.established)
        yield connections
        validations = CounterMetricFamily(
            "collector_validations",
            "Validations of methods before they are executed, by how they were answered.",
            labels=("answer",),
        )
        for answer, count in numbers.validations.items():
            validations.add_metric((answer,), count)
        yield validations
        executions = CounterMetricFamily(
            "collector_executions",
            "Executions of handlers.",
            labels=("namespace", "service", "method"),
        )
        for key, count in numbers.executions.items():
            executions.add_metric(key, count)
        yield executions

    async def _on_loop(self) -> Numbers:
        return self._read()
