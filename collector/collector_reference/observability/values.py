"""The settings of observability as frozen values, and how the environment becomes them.

Nothing of it costs anything where it is not asked for.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from collector_reference.addresses import parse_listen
from collector_reference.errors import SettingsError

__all__ = ["CallLog", "MetricsSettings", "Tracing", "observability_from"]


class CallLog(enum.Enum):
    """How the line of a call is written (OPS-006)."""

    TEXT = "text"
    """`key=value`, for people and grep."""
    JSON = "json"
    """One JSON object, for collectors of logs."""


class Tracing(enum.Enum):
    """Where the spans of calls go."""

    OTLP = "otlp"
    """To a collector of traces over HTTP, as the standard variables OTEL_EXPORTER_OTLP_* say."""
    CONSOLE = "console"
    """To standard error, one JSON object each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricsSettings:
    """Where Prometheus finds the metrics. The page is open to everybody who reaches the port."""

    listen: str = "127.0.0.1:0"
    """`host:port`, a port of its own; 0 for any free one."""

    def __post_init__(self) -> None:
        try:
            parse_listen(self.listen)
        except ValueError as error:
            raise SettingsError("COLLECTOR_METRICS", str(error)) from error


def observability_from(environment: Mapping[str, str]) -> dict[str, object]:
    """Returns the fields of the settings that the variables of observability mean.

    Raises `SettingsError` naming the variable.
    """
    log = _one_of(environment, "COLLECTOR_CALL_LOG", CallLog)
    tracing = _one_of(environment, "COLLECTOR_TRACING", Tracing)
    listen = environment.get("COLLECTOR_METRICS") or ""
    return {
        "call_log": None if log is None else CallLog(log),
        "tracing": None if tracing is None else Tracing(tracing),
        "metrics": MetricsSettings(listen=listen) if listen and listen != "off" else None,
    }


def _one_of(environment: Mapping[str, str], variable: str, kinds: type[enum.Enum]) -> str | None:
    text = environment.get(variable) or "off"
    known = ["off", *(str(kind.value) for kind in kinds)]
    if text not in known:
        quoted = " or ".join(f"'{each}'" for each in known)
        raise SettingsError(variable, f"'{text}' is not {quoted}")
    return None if text == "off" else text
