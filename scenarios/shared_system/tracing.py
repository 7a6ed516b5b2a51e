"""Spans of OpenTelemetry, from the request at the gateway to the statement in the database.

The library is optional. Without it, or without a provider that was set up, everything here
does nothing. The W3C `traceparent` header carries a trace from hop to hop.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping

__all__ = ["carry", "setting_up", "span"]

try:
    from opentelemetry import propagate, trace
except ImportError:  # pragma: no cover - depends on what is installed
    _AVAILABLE = False
else:
    _AVAILABLE = True


def setting_up(kind: str, service: str) -> Callable[[], None]:
    """Sets up spans for this process: `off`, `console` (standard error) or `otlp`, as the
    standard variables say. Returns what is to be called at the end.

    Raises `ValueError` for another kind, and `ModuleNotFoundError` without the library.
    """
    if kind == "off":
        return lambda: None
    if kind not in ("console", "otlp"):
        raise ValueError(f"tracing is off, console or otlp, not {kind!r}")
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if kind == "console":
        console = ConsoleSpanExporter(
            out=sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n"
        )
        provider.add_span_processor(SimpleSpanProcessor(console))
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.shutdown


@contextlib.contextmanager
def span(
    name: str, kind: str = "INTERNAL", parent: Mapping[str, str] | None = None, **values: str
) -> Iterator[None]:
    """Measures a piece of work. `kind` is SERVER, CLIENT or INTERNAL; `parent` the headers that
    came with a request, from which a SERVER span takes its trace.
    """
    if not _AVAILABLE:
        yield
        return
    context = None if parent is None else propagate.extract(dict(parent))
    with trace.get_tracer("shared_system").start_as_current_span(
        name, context=context, kind=trace.SpanKind[kind], attributes=values
    ):
        yield


def carry() -> tuple[tuple[str, str], ...]:
    """Returns the headers by which the present trace goes on."""
    if not _AVAILABLE:
        return ()
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return tuple(headers.items())
