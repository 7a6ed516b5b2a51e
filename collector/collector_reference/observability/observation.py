"""All that a collector tells of its calls, put together as its settings ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc.aio

from collector_reference.observability.calls import CallObserver, Sink
from collector_reference.observability.metrics import Metrics, Numbers
from collector_reference.settings import CollectorSettings

__all__ = ["Observation"]


class Observation:
    """The observers of one collector."""

    def __init__(
        self, settings: CollectorSettings, *, loopback_token: str, tracer_provider: Any = None
    ) -> None:
        """Raises `MissingExtra` for what is asked for and not installed."""
        sinks: list[Sink] = []
        self._traces = None
        if settings.tracing is not None or tracer_provider is not None:
            from collector_reference.observability.tracing import Traces

            self._traces = Traces(
                settings.tracing,
                collector_id=settings.collector_id,
                loopback_token=loopback_token,
                provider=tracer_provider,
            )
            sinks.append(self._traces)
        self.metrics: Metrics | None = None
        """None where there are none."""
        if settings.metrics is not None:
            self.metrics = Metrics(settings.metrics, collector_id=settings.collector_id)
            sinks.append(self.metrics)
        if settings.call_log is not None:
            from collector_reference.observability.call_log import log_calls

            sinks.append(log_calls(settings.call_log))
        observer = CallObserver(
            sinks,
            collector_id=settings.collector_id,
            loopback_token=loopback_token,
            headers=(lambda received: received) if self._traces is None else self._traces.headers,
            calling=None if self._traces is None else self._traces.calling,
        )
        before = () if self._traces is None else (self._traces.interceptor,)
        self.interceptors: tuple[grpc.aio.ServerInterceptor, ...] = (*before, observer)
        """Go before the guards of the port, so that refused calls are seen too."""

    def open(self, read: Callable[[], Numbers]) -> None:
        """Opens the page of the metrics, where there are any. Raises `BindError`."""
        if self.metrics is not None:
            self.metrics.open(read)

    async def close(self) -> None:
        """Closes the page, and sends what is not sent yet."""
        if self.metrics is not None:
            await self.metrics.close()
        if self._traces is not None:
            await self._traces.close()
