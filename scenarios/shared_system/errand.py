"""What belongs to the errand that is being run: its correlation id and its deadline.

Both are set where a request comes in and read where it causes calls, so that no function
between has to hand them on.
"""

from __future__ import annotations

import contextvars
import re
import time
import uuid

__all__ = [
    "CORRELATION_HEADER",
    "begin",
    "correlation_id",
    "remaining",
]

CORRELATION_HEADER = "x-correlation-id"

# Longer ids, and such with other characters, would let a caller write log lines.
_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")

_correlation: contextvars.ContextVar[str] = contextvars.ContextVar("correlation", default="")
_deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline", default=None)


def begin(offered: str | None, seconds: float | None) -> str:
    """Begins an errand with the offered correlation id, or with a new one where that is none or
    cannot be used. `seconds` is what is left of its deadline. Returns the id.
    """
    made = offered if offered and _ID.fullmatch(offered) else uuid.uuid4().hex
    _correlation.set(made)
    _deadline.set(None if seconds is None else time.monotonic() + seconds)
    return made


def correlation_id() -> str:
    """Returns the id of the present errand, or nothing outside of one."""
    return _correlation.get()


def remaining() -> float | None:
    """Returns the seconds that are left, or None without a deadline. Never below zero."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())
