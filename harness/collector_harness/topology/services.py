"""What a service beside the collectors is before it runs: a frozen value, checked when it is made.

Which references its texts may hold is in `topology.references`; nothing here starts anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from collector_harness.topology.tls import NodeTls

__all__ = ["DEFAULT_WITHIN", "Command", "External", "PythonFactory", "Ready", "Service", "Start"]

DEFAULT_WITHIN = timedelta(seconds=10)
"""How long a service may take until it is ready."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A program that the harness starts; no shell reads it."""

    words: tuple[str, ...]
    """Program and arguments; `${port}` in them is the port to listen on, and `{executable}` the
    Python interpreter that runs the harness."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonFactory:
    """Python that the harness runs in a process of its own (`launchers.service_host`)."""

    reference: str
    """`module:attribute`, or `/path/file.py:attribute`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class External:
    """A service that somebody else started and stops."""

    address: str
    """`HOST:PORT`."""


Start = Command | PythonFactory | External


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """How a service shows that it is ready."""

    by: Literal["health", "port", "log", "http", "answer"] = "port"
    """`health`: grpc.health.v1 says SERVING; `answer`: the same, or that there is no such service;
    `port`: it takes connections; `log`: it wrote a line with `what`; `http`: it answers GET of
    `what` with 2xx."""
    what: str = ""
    within: timedelta = DEFAULT_WITHIN


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """An ordinary gRPC or HTTP service."""

    name: str
    """Unique among all nodes and services."""
    start: Start
    protocol: Literal["grpc", "http"] = "grpc"
    ready: Ready = field(default_factory=Ready)
    environment: tuple[tuple[str, str], ...] = ()
    """Further environment variables, which may hold references."""
    database: str | None = None
    """As `topology.databases.parse_database` reads it: a fresh one, or the URL of one that
    somebody else keeps."""
    protos: tuple[Path, ...] = ()
    """Descriptor sets or .proto files of what it serves."""
    tls: NodeTls | None = None
    """Its certificate; None for plaintext."""
    token: str | None = None
    """The bearer token that the harness's calls to it carry; may hold references."""
    keeps: bool = False
    """Whether it is left as it is between cases; it is started anew otherwise."""

    logs: bool = True
    """Whether its log lines are kept."""

    @property
    def launched(self) -> bool:
        """Whether the harness starts it."""
        return not isinstance(self.start, External)

    def texts(self) -> tuple[str, ...]:
        """Returns every text of it that may hold references."""
        words = self.start.words if isinstance(self.start, Command) else ()
        return (*words, *(value for _, value in self.environment), self.database or "")

    def pattern(self) -> re.Pattern[str]:
        """Returns what a line of its log must match where `ready.by` is `log`."""
        return re.compile(self.ready.what)
