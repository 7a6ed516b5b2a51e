"""What a collector was at one moment: what it counted, and the state that it can go back to.

The values only; taking and restoring them is the collector's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collector_reference.dispatch.handlers import RegisteredHandler
from collector_reference.validation.validators import RegistryValidator

__all__ = ["CollectorCheckpoint", "Statistics"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """What a collector counted since it became ready."""

    rpcs: Mapping[str, int]
    """Calls that came in on the port, the loopback's and refused ones included, by full path."""
    loopback_calls: int
    """How often the dispatcher really asked the registry about a method, by an RPC."""
    executions: Mapping[str, int]
    """How often each handler ran, by `namespace/service/method`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectorCheckpoint:
    """What `Collector.checkpoint` returns, which nobody else looks into."""

    records: object
    """The registry store's own checkpoint."""
    handlers: Mapping[tuple[str, str, str], RegisteredHandler]
    """By namespace, service and method."""
    connections: object
    """The connection table's own checkpoint."""
    validator: RegistryValidator | None
    """What is asked before a method is executed."""
    rpcs: Mapping[str, int]
    """Calls that had come in, by full path."""
    loopback_calls: int
    """How often the registry had been asked."""
