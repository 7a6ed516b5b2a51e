"""A reference collector that verifying does not have to wait for: it declares short limits, and
is started with settings that keep them. What is proven is the same; only the times are smaller.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from collector_harness.declared import Limits
from collector_harness.targets import PythonTarget, Reference, Target

__all__ = ["HASTY_LIMITS", "HASTY_SETTINGS", "in_haste"]

HASTY_LIMITS: Final = Limits(
    cache_life=timedelta(seconds=2),
    connections=64,
    forward=timedelta(seconds=3),
    ready=timedelta(seconds=5),
    grace=timedelta(seconds=3),
)
"""What it declares. The size of messages is that of the protocol."""

HASTY_SETTINGS: Final[tuple[tuple[str, object], ...]] = (
    ("validation_cache", timedelta(seconds=1)),
    ("max_connections", HASTY_LIMITS.connections),
    ("forward_limit", timedelta(seconds=1.5)),
    ("ready_limit", timedelta(seconds=3)),
    ("grace", timedelta(seconds=2)),
)
"""What it is started with, below what it declares."""


def in_haste(target: Target) -> Target:
    """Returns the target with short limits, where it is made of the reference's settings."""
    if isinstance(target, Reference | PythonTarget) and not target.settings:
        declares = replace(target.declares, limits=HASTY_LIMITS)
        return replace(target, settings=HASTY_SETTINGS, declares=declares)
    return target
