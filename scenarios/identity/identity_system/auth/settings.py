"""The settings of the auth service: flags, and for each a variable of the environment."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import grpc

from identity_system.security.certificates import server_credentials

__all__ = ["AuthSettings", "parse"]

_SHORTEST_SECRET = 32
_SECRET_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class AuthSettings:
    """What the auth service is told."""

    listen: str = "127.0.0.1:0"
    database: str = "memory"
    secret: str = field(default_factory=lambda: secrets.token_hex(_SECRET_BYTES), repr=False)
    """The key of the tokens is derived from it; all instances need the same."""
    access_life: timedelta = timedelta(minutes=5)
    refresh_life: timedelta = timedelta(days=14)
    failures: int = 5
    """After so many failed logins in a row an email is locked out."""
    lock_out: timedelta = timedelta(minutes=1)
    """For so long. An attempt while it is locked does not prolong it."""
    administrators: frozenset[str] = frozenset()
    """Emails whose accounts begin with all rights."""
    first_rights: tuple[str, ...] = ("accounts:grant", "users:read")
    instance: str = "auth"
    threads: int = 10
    grace: timedelta = timedelta(seconds=10)
    register: str = ""
    """`host:port/namespace` of a collector's registry that is told of it, or nothing."""
    credentials: grpc.ServerCredentials | None = None
    tracing: str = "off"
    grpc_debug: bool = False


def parse(words: Sequence[str], environment: Mapping[str, str]) -> AuthSettings:
    """Reads flags and environment; a flag beats its variable, and an empty variable counts as
    unset. Ends the process with 2 and a sentence for bad settings.
    """
    parser = argparse.ArgumentParser(prog="python -m identity_system.auth", allow_abbrev=False)

    def add(flag: str, variable: str, default: str, told: str) -> None:
        parser.add_argument(
            f"--{flag}",
            default=environment.get(variable) or default,
            help=f"{told} [{variable}; {default or 'none'}]",
        )

    add("listen", "AUTH_LISTEN", "127.0.0.1:0", "host:port to bind; port 0 is any free one")
    add("database", "DATABASE_URL", "memory", "sqlite:PATH, postgresql://..., or memory")
    add("access-seconds", "AUTH_ACCESS_SECONDS", "300", "how long access tokens are good")
    add("refresh-seconds", "AUTH_REFRESH_SECONDS", "1209600", "how long refresh tokens are good")
    add("failures", "AUTH_FAILURES", "5", "failed logins in a row that lock an email out")
    add("lock-out-seconds", "AUTH_LOCK_OUT_SECONDS", "60", "for how long")
    add("administrators", "AUTH_ADMINISTRATORS", "", "emails with all rights, with commas")
    add("instance", "AUTH_INSTANCE", "auth", "the name of this instance in the events")
    add("grace-seconds", "AUTH_GRACE_SECONDS", "10", "what calls in flight may take at the end")
    add("register", "AUTH_REGISTER", "", "host:port/namespace of a collector's registry")
    add("tracing", "AUTH_TRACING", "off", "spans: off, console or otlp")
    parser.add_argument(
        "--grpc-debug",
        action="store_true",
        default=environment.get("AUTH_GRPC_DEBUG") == "1",
        help="log what gRPC itself does [AUTH_GRPC_DEBUG=1]",
    )
    read = parser.parse_args(words)
    secret = environment.get("AUTH_SECRET", "")
    try:
        if secret and len(secret) < _SHORTEST_SECRET:
            raise ValueError(f"AUTH_SECRET has fewer than {_SHORTEST_SECRET} characters")
        return AuthSettings(
            listen=read.listen,
            database=read.database,
            secret=secret or secrets.token_hex(_SECRET_BYTES),
            access_life=_seconds("access-seconds", read.access_seconds),
            refresh_life=_seconds("refresh-seconds", read.refresh_seconds),
            failures=_whole("failures", read.failures, 1000),
            lock_out=_seconds("lock-out-seconds", read.lock_out_seconds),
            administrators=frozenset(
                part.strip().lower() for part in read.administrators.split(",") if part.strip()
            ),
            instance=read.instance[:100],
            grace=_seconds("grace-seconds", read.grace_seconds),
            register=read.register,
            credentials=server_credentials(environment),
            tracing=read.tracing,
            grpc_debug=read.grpc_debug,
        )
    except ValueError as error:
        parser.error(str(error))


def _whole(flag: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
        raise ValueError(f"--{flag} is a whole number from 1 to {most}, not {text!r}")
    return int(text)


def _seconds(flag: str, text: str) -> timedelta:
    return timedelta(seconds=_whole(flag, text, 10**8))
