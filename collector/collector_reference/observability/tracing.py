"""Spans of calls for OpenTelemetry (the extra `otel`): client, Dispatch, Serve and the loopback in
one trace, by the W3C's `traceparent`.

The spans of the port are made by OpenTelemetry's own instrumentation of gRPC; here it is set up,
and told what a collector knows of a call. Those of calls that are made because of another one are
made here: the instrumentation of channels would stand in the way of every call on them.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio

from collector_reference.errors import MissingExtra
from collector_reference.loopback_health import LOOK
from collector_reference.observability.calls import Call, Headers
from collector_reference.observability.values import Tracing
from collector_reference.validation.interceptor import LOOPBACK_HEADER

__all__ = ["Traces"]


class Traces:
    """Makes a span of every call on the port."""

    def __init__(
        self,
        tracing: Tracing | None,
        *,
        collector_id: str,
        loopback_token: str,
        provider: Any = None,
    ) -> None:
        """`provider` is the application's own tracer provider, in the place of one that exports as
        `tracing` says. `loopback_token` is this collector's secret: its own looks at its port are
        no spans. Raises `MissingExtra` where the libraries are not installed.
        """
        try:
            from opentelemetry import propagate, trace
            from opentelemetry.instrumentation.grpc import aio_server_interceptor
        except ImportError as error:
            raise MissingExtra("otel", "COLLECTOR_TRACING") from error
        self._propagate = propagate
        self._trace = trace
        self._own: Any = None
        if provider is None:
            provider = self._own = _provider(tracing, collector_id)
        look = {(LOOPBACK_HEADER, loopback_token), LOOK}

        def is_no_look(details: grpc.HandlerCallDetails) -> bool:
            return not look <= {tuple(pair) for pair in details.invocation_metadata or ()}

        made: Any = aio_server_interceptor
        self.interceptor: grpc.aio.ServerInterceptor = made(
            tracer_provider=provider, filter_=is_no_look
        )
        """Goes before the observer of calls, which tells the rest."""
        self._tracer = trace.get_tracer(__name__, tracer_provider=provider)

    def __call__(self, call: Call) -> None:
        """Tells the call's span what it was about."""
        span = self._trace.get_current_span()
        if not span.is_recording():
            return
        for key, value in (
            ("collector.namespace", call.namespace),
            ("collector.service", call.service),
            ("collector.method", call.method),
            ("collector.correlation_id", call.correlation_id),
            ("collector.handled_by", call.handled_by),
            ("collector.status", call.status),
        ):
            if value:
                span.set_attribute(key, value)
        if call.loopback:
            span.set_attribute("collector.loopback", value=True)

    def headers(self, received: Headers) -> Headers:
        """Returns the headers that go on with a call, in which its own span is the parent."""
        carrier: dict[str, str] = {}
        self._propagate.inject(carrier)
        if "traceparent" not in carrier:
            return received
        rest = tuple(
            (key, value) for key, value in received if key not in ("traceparent", "tracestate")
        )
        return (*rest, *carrier.items())

    @contextlib.contextmanager
    def calling(self, path: str, metadata: Headers, peer: str) -> Iterator[Headers]:
        """Makes the span of a call that the present one causes; see `correlation.calling`."""
        service, _, method = path.removeprefix("/").rpartition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        if peer:
            attributes["collector.peer"] = peer
        with self._tracer.start_as_current_span(
            path, kind=self._trace.SpanKind.CLIENT, attributes=attributes
        ):
            yield self.headers(metadata)

    async def close(self) -> None:
        """Sends what is not sent yet, and ends; an application's own provider is left alone."""
        own, self._own = self._own, None
        if own is not None:
            await asyncio.to_thread(own.shutdown)


def _provider(tracing: Tracing | None, collector_id: str) -> Any:
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    provider = TracerProvider(
        # The library's defaults have a name and an id too; what the variables say beats ours.
        resource=Resource.create(
            {"service.name": "collector", "service.instance.id": collector_id}
        ).merge(OTELResourceDetector().detect()),
        shutdown_on_exit=False,
    )
    if tracing is Tracing.CONSOLE:
        provider.add_span_processor(
            SimpleSpanProcessor(
                ConsoleSpanExporter(
                    out=sys.stderr, formatter=lambda span: f"{span.to_json(indent=None)}\n"
                )
            )
        )
        return provider
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise MissingExtra("otel", "COLLECTOR_TRACING=otlp") from error
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
