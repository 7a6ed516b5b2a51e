"""The flags of `collector-harness serve` that tune how a collector routes (docs/routing.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["ROUTING_FLAGS"]

ROUTING_FLAGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "COLLECTOR_BALANCING": (
        "--balancing",
        "NAME",
        (
            "Which of several peers gets a call: round-robin, the default, least-pending or "
            "rendezvous, by a routing hint."
        ),
    ),
    "COLLECTOR_BALANCING_HINT": (
        "--balancing-hint",
        "KEY",
        "The routing hint that rendezvous reads. Default: affinity.",
    ),
    "COLLECTOR_BREAKER_FAILURES": (
        "--breaker-failures",
        "COUNT",
        "So many calls in a row that find a peer ill open its breaker. Default: no breakers.",
    ),
    "COLLECTOR_BREAKER_OPEN": (
        "--breaker-open",
        "SECONDS",
        "How long a breaker stays open before a trial. Default: 5.",
    ),
    "COLLECTOR_BREAKER_TRIALS": (
        "--breaker-trials",
        "COUNT",
        "The most trials of a half-open breaker at a time. Default: 1.",
    ),
    "COLLECTOR_RETRY_ATTEMPTS": (
        "--retry-attempts",
        "COUNT",
        "How often a call that ran nowhere is tried in all. Default: once.",
    ),
    "COLLECTOR_RETRY_PAUSE": (
        "--retry-pause",
        "SECONDS",
        "The pause before the second attempt; it doubles. Default: 0.05.",
    ),
    "COLLECTOR_RETRY_LONGEST_PAUSE": (
        "--retry-longest-pause",
        "SECONDS",
        "No pause between attempts is longer. Default: 1.",
    ),
    "COLLECTOR_HEALTH_CHECK": (
        "--health-check",
        "SECONDS",
        "How often peers are asked for their health. Default: never.",
    ),
    "COLLECTOR_HEALTH_CHECK_LIMIT": (
        "--health-check-limit",
        "SECONDS",
        "A peer that is silent for longer does not serve. Default: 1.",
    ),
    "COLLECTOR_HOP": (
        "--hop",
        "SECONDS",
        "What is kept of a caller's deadline when a call is passed on. Default: 0.005.",
    ),
    "COLLECTOR_FORWARD_LIMIT": (
        "--forward-limit",
        "SECONDS",
        "The bound of a call that is passed on without a deadline. Default: 20.",
    ),
    "COLLECTOR_CONNECT_LIMIT": (
        "--connect-limit",
        "SECONDS",
        "How long a peer may take to be connected to. Default: 5.",
    ),
    "COLLECTOR_MAX_CONNECTIONS": (
        "--max-connections",
        "COUNT",
        "The most peers at a time. Default: 10000.",
    ),
    "COLLECTOR_DISCOVER": (
        "--discover",
        "HOST:PORT,...",
        "Names, comma-separated, each address of which is a peer of its own.",
    ),
    "COLLECTOR_DISCOVER_INTERVAL": (
        "--discover-interval",
        "SECONDS",
        "How often these names are looked up. Default: 30.",
    ),
}
"""Flag, placeholder and help by the variable that the flag stands for."""
