"""How calls are spread over peers and what is done about ill ones: the settings as frozen values,
and how the environment becomes them.

What they mean is explained in docs/routing.md; nothing here routes.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from collector_reference.addresses import is_peer_address
from collector_reference.dispatch.dialects import split_dialect
from collector_reference.errors import SettingsError

__all__ = [
    "DEFAULT_ROUTING",
    "Balancing",
    "BreakerSettings",
    "HealthCheckSettings",
    "RetrySettings",
    "RoutingSettings",
    "routing_from",
]


class Balancing(enum.Enum):
    """Which of several peers that share a namespace gets a call."""

    ROUND_ROBIN = "round-robin"
    """Each in turn."""
    LEAST_PENDING = "least-pending"
    """The one with the fewest calls on their way from here; in turn where several have."""
    RENDEZVOUS = "rendezvous"
    """The same one for the same routing hint, as long as it can be called; in turn without."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerSettings:
    """When calls to an ill peer are refused here, and when it is tried again."""

    failures: int = 5
    """So many calls in a row that find the peer ill open the breaker."""
    open_time: timedelta = timedelta(seconds=5)
    """How long it stays open before a trial."""
    trials: int = 1
    """The most trials at a time; the first that ends well closes it."""

    def __post_init__(self) -> None:
        _at_least_one("COLLECTOR_BREAKER_FAILURES", self.failures)
        _at_least_one("COLLECTOR_BREAKER_TRIALS", self.trials)
        _above_zero("COLLECTOR_BREAKER_OPEN", self.open_time)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrySettings:
    """How often a call that ran nowhere is tried again, within its deadline."""

    attempts: int = 3
    """How often in all."""
    first_pause: timedelta = timedelta(milliseconds=50)
    """The pause before the second attempt, less up to half of it; each is twice the one before."""
    longest_pause: timedelta = timedelta(seconds=1)
    """No pause is longer."""

    def __post_init__(self) -> None:
        _at_least_one("COLLECTOR_RETRY_ATTEMPTS", self.attempts)
        _above_zero("COLLECTOR_RETRY_PAUSE", self.first_pause)
        _above_zero("COLLECTOR_RETRY_LONGEST_PAUSE", self.longest_pause)


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthCheckSettings:
    """How peers are asked for their health."""

    interval: timedelta = timedelta(seconds=5)
    """The pause between two rounds of questions."""
    limit: timedelta = timedelta(seconds=1)
    """A peer that is silent for longer does not serve."""

    def __post_init__(self) -> None:
        _above_zero("COLLECTOR_HEALTH_CHECK", self.interval)
        _above_zero("COLLECTOR_HEALTH_CHECK_LIMIT", self.limit)


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutingSettings:
    """Everything about routing that is a matter of taste.

    Raises `SettingsError` naming the variable that cannot be used.
    """

    balancing: Balancing = Balancing.ROUND_ROBIN
    """Which of several peers gets a call."""
    hint: str = "affinity"
    """The key of `routing_hints` that rendezvous hashing reads."""
    hop: timedelta = timedelta(milliseconds=5)
    """What is kept of a caller's remaining time, so that the failure of a peer can still be told
    before the deadline; never more than a tenth of it."""
    breaker: BreakerSettings | None = None
    """None: no breakers."""
    retry: RetrySettings | None = None
    """None: each peer is tried once."""
    health_check: HealthCheckSettings | None = None
    """None: peers are not asked; only the state of the connection counts."""
    discover: tuple[str, ...] = ()
    """`host:port`, marked with a dialect or not: every address that the host's name has is a
    peer of its own."""
    discover_interval: timedelta = timedelta(seconds=30)
    """How often these names are looked up."""

    def __post_init__(self) -> None:
        if not self.hint:
            raise SettingsError("COLLECTOR_BALANCING_HINT", "the routing hint needs a key")
        if self.hop < timedelta(0):
            raise SettingsError("COLLECTOR_HOP", "a time cannot be negative")
        _above_zero("COLLECTOR_DISCOVER_INTERVAL", self.discover_interval)
        for name in self.discover:
            address = split_dialect(name)[1]
            if not is_peer_address(address) or address.startswith(_SCHEMES):
                raise SettingsError(
                    "COLLECTOR_DISCOVER",
                    f"'{name}' is not host:port, such as collectors.example:4000; a gRPC target "
                    "belongs into COLLECTOR_CONNECT",
                )


_SCHEMES = ("dns:", "ipv4:", "ipv6:", "unix:", "xds:")


def routing_from(environment: Mapping[str, str]) -> dict[str, object]:
    """Returns the fields of the collector's settings that the variables of routing mean.

    Raises `SettingsError` naming the variable.
    """
    given: dict[str, object] = {"routing": _routing(environment)}
    for variable, field in _LIMITS.items():
        seconds = _seconds(environment, variable)
        if seconds is not None:
            given[field] = seconds
    most = _count(environment, "COLLECTOR_MAX_CONNECTIONS")
    if most is not None:
        given["max_connections"] = _at_least_one("COLLECTOR_MAX_CONNECTIONS", most)
    return given


_LIMITS = {
    "COLLECTOR_FORWARD_LIMIT": "forward_limit",
    "COLLECTOR_CONNECT_LIMIT": "connect_limit",
}


def _routing(environment: Mapping[str, str]) -> RoutingSettings:
    failures = _count(environment, "COLLECTOR_BREAKER_FAILURES")
    attempts = _count(environment, "COLLECTOR_RETRY_ATTEMPTS")
    interval = _seconds(environment, "COLLECTOR_HEALTH_CHECK")
    breaker = _given(
        failures=failures,
        open_time=_seconds(environment, "COLLECTOR_BREAKER_OPEN"),
        trials=_count(environment, "COLLECTOR_BREAKER_TRIALS"),
    )
    retry = _given(
        attempts=attempts,
        first_pause=_seconds(environment, "COLLECTOR_RETRY_PAUSE"),
        longest_pause=_seconds(environment, "COLLECTOR_RETRY_LONGEST_PAUSE"),
    )
    health = _given(interval=interval, limit=_seconds(environment, "COLLECTOR_HEALTH_CHECK_LIMIT"))
    for switch, on, others in (
        ("COLLECTOR_BREAKER_FAILURES", failures, breaker),
        ("COLLECTOR_RETRY_ATTEMPTS", attempts, retry),
        ("COLLECTOR_HEALTH_CHECK", interval, health),
    ):
        if on is None and others:
            raise SettingsError(
                switch, "it is not set, and what is tuned is off without it: set it"
            )
    names = environment.get("COLLECTOR_DISCOVER", "").split(",")
    given = _given(
        balancing=_balancing(environment),
        hint=environment.get("COLLECTOR_BALANCING_HINT") or None,
        hop=_seconds(environment, "COLLECTOR_HOP"),
        breaker=BreakerSettings(**breaker) if breaker else None,
        retry=RetrySettings(**retry) if retry else None,
        health_check=HealthCheckSettings(**health) if health else None,
        discover=tuple(name.strip() for name in names if name.strip()),
        discover_interval=_seconds(environment, "COLLECTOR_DISCOVER_INTERVAL"),
    )
    return RoutingSettings(**given)


# The values go to fields of many types; each was parsed by what its field needs.
def _given(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _balancing(environment: Mapping[str, str]) -> Balancing | None:
    text = environment.get("COLLECTOR_BALANCING")
    if not text:
        return None
    try:
        return Balancing(text)
    except ValueError as error:
        known = ", ".join(f"'{balancing.value}'" for balancing in Balancing)
        raise SettingsError("COLLECTOR_BALANCING", f"'{text}' is none of {known}") from error


def _seconds(environment: Mapping[str, str], variable: str) -> timedelta | None:
    text = environment.get(variable)
    if not text:
        return None
    try:
        seconds = float(text)
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError(text)
        return timedelta(seconds=seconds)
    except (ValueError, OverflowError) as error:
        raise SettingsError(
            variable, f"'{text}' is not a number of seconds, such as 0.5"
        ) from error


def _count(environment: Mapping[str, str], variable: str) -> int | None:
    text = environment.get(variable)
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise SettingsError(variable, f"'{text}' is not a whole number, such as 3") from error


def _at_least_one(variable: str, count: int) -> int:
    if count < 1:
        raise SettingsError(variable, f"must be at least 1, not {count}")
    return count


def _above_zero(variable: str, time: timedelta) -> None:
    if time <= timedelta(0):
        raise SettingsError(variable, "the time must be above 0")


DEFAULT_ROUTING: Final = RoutingSettings()
"""In turn, each peer once, no breakers, no questions."""
