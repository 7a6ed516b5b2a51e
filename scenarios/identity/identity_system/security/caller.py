"""Who makes the present call, and what each method asks of its caller.

The interceptors set it and ask it; services only read it. Nothing here knows gRPC's two kinds of
servers.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import grpc

from shared_system.failures import Failure

__all__ = [
    "ANYBODY",
    "AUTHORIZATION",
    "SIGNED_IN",
    "Principal",
    "Rules",
    "acting",
    "bearer_of",
    "check_call",
    "check_rights",
    "current",
    "offered_token",
    "offering",
    "required",
]

AUTHORIZATION = "authorization"
ANYBODY = ""
"""A rule: no token is asked for."""
SIGNED_IN = "*"
"""A rule: any good token will do. Every other rule is the right that the caller must have."""

Rules = Mapping[str, str]
"""What each method (`/package.Service/Method`) asks for. What is not here is refused."""

# What operators and tools ask, before anybody has a token.
_OPEN_PREFIXES = ("/grpc.health.v1.", "/grpc.reflection.")


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Somebody whose token was good."""

    account_id: str
    email: str
    rights: frozenset[str]
    session: str = ""
    """The login that the token descends from, where that is known."""


_present: contextvars.ContextVar[Principal | None] = contextvars.ContextVar("principal")
_offered: contextvars.ContextVar[str] = contextvars.ContextVar("token", default="")


@contextlib.contextmanager
def acting(principal: Principal | None) -> Iterator[None]:
    """Makes somebody the caller while the block runs."""
    kept = _present.set(principal)
    try:
        yield
    finally:
        _present.reset(kept)


def current() -> Principal:
    """Returns who calls. Raises `Failure` UNAUTHENTICATED where nobody showed a token."""
    principal = _present.get(None)
    if principal is None:
        raise unauthenticated("a token is required")
    return principal


@contextlib.contextmanager
def offering(token: str) -> Iterator[None]:
    """Has the calls of the block carry a token."""
    kept = _offered.set(token)
    try:
        yield
    finally:
        _offered.reset(kept)


def offered_token() -> str:
    """Returns the token that calls carry now, or nothing."""
    return _offered.get()


def required(rules: Rules, method: str) -> str:
    """Returns the rule of a method. Raises `Failure` for a method that has none."""
    if method.startswith(_OPEN_PREFIXES):
        return ANYBODY
    if method not in rules:
        raise Failure(grpc.StatusCode.UNIMPLEMENTED, "there is no such method")
    return rules[method]


def check_call(rules: Rules, method: str) -> None:
    """Raises `Failure` unless the present caller has what the rule of a method asks for."""
    rule = required(rules, method)
    if rule != ANYBODY:
        check_rights(rule, current())


def bearer_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Returns the token of `authorization: Bearer TOKEN`. Raises `Failure` UNAUTHENTICATED."""
    values = [value for key, value in metadata if key == AUTHORIZATION]
    if not values:
        raise unauthenticated("a token is required")
    value = values[0]
    if len(values) > 1 or not isinstance(value, str):
        raise unauthenticated("exactly one token is required")
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthenticated("the authorization is not `Bearer TOKEN`")
    return token.strip()


def check_rights(rule: str, principal: Principal) -> None:
    """Raises `Failure` PERMISSION_DENIED for somebody who lacks the right of a rule."""
    if rule not in (ANYBODY, SIGNED_IN) and rule not in principal.rights:
        raise Failure(grpc.StatusCode.PERMISSION_DENIED, f"the right {rule} is required")


def unauthenticated(message: str) -> Failure:
    """Returns the failure of a caller who is not known."""
    return Failure(grpc.StatusCode.UNAUTHENTICATED, message)
