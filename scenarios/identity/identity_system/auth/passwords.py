"""Passwords: what one may be, and its hash by argon2id. Nothing here stores or logs one."""

from __future__ import annotations

import functools

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared_system.checks import invalid

__all__ = ["checked", "hashed", "matches"]

_SHORTEST, _LONGEST = 10, 200
# OWASP's least: 19 MiB and two passes, so that ten logins at once need no gigabyte.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def checked(password: str) -> str:
    """Returns a password that may be one. Raises `Failure`, whose message does not hold it."""
    if not password:
        raise invalid("password is required")
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise invalid(f"password is {_SHORTEST} to {_LONGEST} characters")
    return password


def hashed(password: str) -> str:
    """Returns the hash that is stored, with its salt and costs."""
    return _HASHER.hash(password)


def matches(password: str, stored: str | None) -> bool:
    """Says whether a password is the stored one. Without a stored one it takes as long, so that
    nobody learns from the clock who has an account.
    """
    try:
        _HASHER.verify(stored or _nobodys(), password[:_LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None and len(password) <= _LONGEST


@functools.cache
def _nobodys() -> str:
    return hashed("the password of nobody at all")
