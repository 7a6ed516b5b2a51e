"""Durations as people write them: a number with a unit."""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["DURATION", "parse_duration", "seconds_of"]

DURATION = r"[0-9]+(\.[0-9]+)?(ms|s|m|h)"
"""The pattern of a duration, for schemas."""

_MAX_DURATION = timedelta(hours=24)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(text: str) -> float | None:
    """Returns the seconds of a duration such as `250ms`; None for other text."""
    match = _DURATION.fullmatch(text)
    return float(match[1]) * _UNITS[match[2]] if match else None


def parse_duration(value: object) -> timedelta:
    """Parses `250ms`, `1s`, `2m` or `1h`; raises `ValueError`."""
    seconds = seconds_of(value) if isinstance(value, str) else None
    if seconds is None:
        unit = "\nadd a unit" if isinstance(value, int | float) else "\nwrite"
        raise ValueError(f"'{value}' is not a duration{unit}: 250ms, 1s, 2m or 1h")
    duration = timedelta(seconds=min(seconds, _MAX_DURATION.total_seconds() + 1))
    if not timedelta() < duration <= _MAX_DURATION:
        raise ValueError(f"'{value}' is not between 1ms and 24h")
    return duration
