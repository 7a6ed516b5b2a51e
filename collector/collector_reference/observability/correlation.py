"""The headers by which the calls of one errand are known to belong together, on every hop.

Which of them a call brought, which were made for it here, and what goes on with the
calls that it causes: to peers, to the registry, to backends.
"""

from __future__ import annotations

import contextlib
import contextvars
import uuid
from collections.abc import Callable, Iterable

__all__ = ["Calling", "Metadata", "calling", "carried", "carry", "correlation_id", "onward"]

Metadata = tuple[tuple[str, str | bytes], ...]

Calling = Callable[[str, Metadata, str], contextlib.AbstractContextManager[Metadata]]
"""Makes the span of a call that is made because of another one; see `calling`."""

CORRELATION_ID = "x-correlation-id"
TRACEPARENT = "traceparent"

# What crosses a hop of the caller's metadata (PROTOCOL.md, section 2).
_CROSSING = frozenset({TRACEPARENT, "tracestate", CORRELATION_ID})
_TRACE_ID = slice(3, 35)
_TRACEPARENT_LENGTH = 55

# Set while a call is observed: gRPC runs each call in a task of its own.
_carried: contextvars.ContextVar[Metadata | None] = contextvars.ContextVar("carried", default=None)
_calling: contextvars.ContextVar[Calling | None] = contextvars.ContextVar("calling", default=None)


def onward(received: Iterable[tuple[str, str | bytes]]) -> Metadata:
    """Returns what goes on with the calls that the present one causes."""
    carried_now = _carried.get()
    if carried_now is not None:
        return carried_now
    return tuple((key, value) for key, value in received if key in _CROSSING)


def carried() -> Metadata:
    """Returns the same where only observed calls matter; nothing for one that is not observed."""
    return _carried.get() or ()


def carry(metadata: Metadata, calling: Calling | None = None) -> None:
    """Has these headers go on with the calls that the present one causes, whose spans are made by
    `calling`, where there are any.
    """
    _carried.set(metadata)
    _calling.set(calling)


def calling(
    path: str, metadata: Metadata, *, peer: str = ""
) -> contextlib.AbstractContextManager[Metadata]:
    """In force while the present call causes another, which it does by the block.

    `path` is what is called, and `peer` whom, where that is another collector. Lends the headers
    that the call carries; where calls are traced they name its span.
    """
    make = _calling.get()
    return contextlib.nullcontext(metadata) if make is None else make(path, metadata, peer)


def correlation_id(received: Iterable[tuple[str, str | bytes]]) -> tuple[str, Metadata]:
    """Returns a call's correlation id, and the headers that go on with it.

    The id is `x-correlation-id`, else the trace id of `traceparent`, else made up, and then it
    goes on as `x-correlation-id`.
    """
    headers = tuple((key, value) for key, value in received if key in _CROSSING)
    parent = ""
    for key, value in headers:
        if key == CORRELATION_ID and value:
            return str(value), headers
        if key == TRACEPARENT:
            parent = str(value)
    if len(parent) >= _TRACEPARENT_LENGTH:
        return parent[_TRACE_ID], headers
    made = uuid.uuid4().hex
    return made, (*headers, (CORRELATION_ID, made))
