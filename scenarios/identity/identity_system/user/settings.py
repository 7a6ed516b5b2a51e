"""The settings of the user service: flags, and for each a variable of the environment."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from identity_system.security.certificates import client_credentials, server_credentials
from shared_system.calling import CallingSettings
from shared_system.http_serving import TlsFiles
from shared_system.practices import Practices

__all__ = ["UserSettings", "parse"]


@dataclass(frozen=True, kw_only=True)
class UserSettings:
    """What the user service is told."""

    listen: str = "127.0.0.1:0"
    protocol: str = "http"
    """How it is asked: `http` or `grpc`. Two processes with one database serve both."""
    database: str = "memory"
    auth: str = "localhost:50051"
    """Where auth is: `host:port`, several with commas, `dns:///...` or `collector://...`."""
    auth_credentials: grpc.ChannelCredentials | None = None
    """Without them auth is dialled in plain text."""
    credentials: grpc.ServerCredentials | None = None
    """What the gRPC port listens with; without them in plain text."""
    https: TlsFiles | None = None
    """What the HTTP port listens with; without them in plain text."""
    calling: CallingSettings = field(default_factory=lambda: CallingSettings(pool=1))
    """One connection carries all calls: some cannot be tried again over another."""
    practices: Practices = field(default_factory=Practices)
    request_limit_seconds: float = 5.0
    grace_seconds: float = 10.0
    tracing: str = "off"


def parse(words: Sequence[str], environment: Mapping[str, str]) -> UserSettings:
    """Reads flags and environment; a flag beats its variable, and an empty variable counts as
    unset. Ends the process with 2 and a sentence for bad settings.
    """
    parser = argparse.ArgumentParser(prog="python -m identity_system.user", allow_abbrev=False)

    def add(flag: str, variable: str, default: str, told: str) -> None:
        parser.add_argument(
            f"--{flag}",
            default=environment.get(variable) or default,
            help=f"{told} [{variable}; {default}]",
        )

    add("listen", "USER_LISTEN", "127.0.0.1:0", "host:port to bind; port 0 is any free one")
    add("protocol", "USER_PROTOCOL", "http", "http or grpc")
    add("database", "DATABASE_URL", "memory", "sqlite:PATH, postgresql://..., or memory")
    add("auth", "AUTH_SERVICE_ADDRESS", "localhost:50051", "where the auth service is")
    add("auth-tls", "AUTH_SERVICE_TLS", "off", "off, on (by TLS_CA), or mutual (and TLS_CERT)")
    add("limit", "USER_LIMIT", "3", "seconds that a call to auth may take")
    add("request-limit", "USER_REQUEST_LIMIT", "5", "seconds that a request may take")
    add("grace", "USER_GRACE", "10", "seconds that calls in flight may take at the end")
    add("tracing", "USER_TRACING", "off", "spans: off, console or otlp")
    read = parser.parse_args(words)
    try:
        if read.protocol not in ("http", "grpc"):
            raise ValueError("--protocol is http or grpc")
        return UserSettings(
            listen=read.listen,
            protocol=read.protocol,
            database=read.database,
            auth=read.auth,
            auth_credentials=client_credentials(read.auth_tls, environment),
            credentials=server_credentials(environment) if read.protocol == "grpc" else None,
            https=_https(environment) if read.protocol == "http" else None,
            calling=CallingSettings(limit_seconds=_seconds("limit", read.limit), pool=1),
            request_limit_seconds=_seconds("request-limit", read.request_limit),
            grace_seconds=_seconds("grace", read.grace),
            tracing=read.tracing,
        )
    except ValueError as error:
        parser.error(str(error))


def _https(environment: Mapping[str, str]) -> TlsFiles | None:
    cert, key = environment.get("TLS_CERT"), environment.get("TLS_KEY")
    if not cert:
        return None
    if not key:
        raise ValueError("TLS_KEY is needed for TLS")
    return TlsFiles(cert=Path(cert), key=Path(key))


def _seconds(flag: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 86400:
        raise ValueError(f"--{flag} is a number from 0 to 86400, not {text!r}")
    return number
