"""The settings of a service: flags, and for each a variable of the environment.

The names of the variables by which services find each other are those of the guide that this
system follows: USER_SERVICE_URL and ORDER_SERVICE_URL.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared_system.breaker import BreakerSettings
from shared_system.calling import CallingSettings
from shared_system.practices import Practices

__all__ = ["ServiceSettings", "parse"]

_TEXTS = {
    "listen": ("COMMERCE_LISTEN", "127.0.0.1:0", "host:port to bind; port 0 is any free one"),
    "database": ("DATABASE_URL", "", "sqlite:PATH or postgresql://..."),
    "users": ("USER_SERVICE_URL", "localhost:50051", "where the users service is"),
    "orders": ("ORDER_SERVICE_URL", "localhost:50052", "where the orders service is"),
    "without": ("COMMERCE_WITHOUT", "", "practices to leave out, with commas: a test's business"),
    "register": ("COMMERCE_REGISTER", "", "host:port/namespace of a collector's registry"),
    "tracing": ("COMMERCE_TRACING", "off", "spans: off, console or otlp"),
    "open-routes": ("COMMERCE_OPEN_ROUTES", "on", "off: only /api, which asks for a token"),
}
_NUMBERS = {
    "limit": ("COMMERCE_LIMIT", 3.0, "seconds that a call to another service may take"),
    "request-limit": ("COMMERCE_REQUEST_LIMIT", 5.0, "seconds that a request may take"),
    "grace": ("COMMERCE_GRACE", 10.0, "seconds that calls in flight may take at the end"),
    "breaker-failures": ("COMMERCE_BREAKER_FAILURES", 5, "failures in a row that open a breaker"),
    "breaker-open": ("COMMERCE_BREAKER_OPEN", 2.0, "seconds that a breaker stays open"),
}


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """What a service is told. Each service reads its part."""

    listen: str = "127.0.0.1:0"
    database: str = ""
    users: str = "localhost:50051"
    orders: str = "localhost:50052"
    register: str = ""
    practices: Practices = field(default_factory=Practices)
    calling: CallingSettings = field(default_factory=CallingSettings)
    request_limit_seconds: float = 5.0
    grace_seconds: float = 10.0
    tracing: str = "off"
    jwt_secret: str = ""
    """Tokens are signed by it. Without it no token is good."""
    open_routes: bool = True
    """Whether /users and /orders are there beside /api/users and /api/orders."""

    @property
    def grace(self) -> float:
        """The grace that is really given: none where graceful shutdown is left out."""
        return self.grace_seconds if self.practices.shutdown else 0.0


def parse(
    name: str, words: Sequence[str], environment: Mapping[str, str], *, takes: Sequence[str]
) -> ServiceSettings:
    """Reads the flags that a service `takes` and its environment; a flag beats its variable, and
    an empty variable counts as unset. Ends the process with 2 and a sentence for bad settings.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}", allow_abbrev=False)
    for flag in takes:
        variable, default, told = _TEXTS.get(flag) or _NUMBERS[flag]
        given: str | float = environment.get(variable) or default
        parser.add_argument(
            f"--{flag}",
            default=given,
            type=_positive if flag in _NUMBERS else str,
            help=f"{told} [{variable}; {default or 'none'}]",
        )
    read = vars(parser.parse_args(words))
    try:
        practices = Practices.without([part for part in read.get("without", "").split(",") if part])
        if read.get("database") == "":
            raise ValueError("--database or DATABASE_URL is needed")
        if read.get("open_routes", "on") not in ("on", "off"):
            raise ValueError("--open-routes is on or off")
    except ValueError as error:
        parser.error(str(error))
    return ServiceSettings(
        listen=read["listen"],
        database=read.get("database", ""),
        users=read.get("users", ""),
        orders=read.get("orders", ""),
        register=read.get("register", ""),
        practices=practices,
        calling=CallingSettings(
            limit_seconds=read.get("limit", 3.0),
            breaker=BreakerSettings(
                failures=int(read.get("breaker_failures", 5)),
                open_seconds=read.get("breaker_open", 2.0),
            ),
        ),
        request_limit_seconds=read.get("request_limit", 5.0),
        grace_seconds=read["grace"],
        tracing=read["tracing"],
        jwt_secret=environment.get("JWT_SECRET", ""),
        open_routes=read.get("open_routes", "on") == "on",
    )


def _positive(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 86400:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 86400")
    return number
