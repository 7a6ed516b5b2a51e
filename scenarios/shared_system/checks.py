"""What a text may be, with a sentence that names the field for each that may not."""

from __future__ import annotations

import hashlib
import re

import grpc
from google.protobuf.message import Message

from shared_system.failures import Failure

__all__ = ["LARGEST_ID", "content_digest", "email", "identity", "invalid", "key", "text"]

LARGEST_ID = 2**31 - 1

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)*")
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
# Neither databases nor logs nor people have a use for these in a name.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def invalid(message: str) -> Failure:
    """Returns the failure of a request that cannot be right."""
    return Failure(grpc.StatusCode.INVALID_ARGUMENT, message)


def text(field: str, value: str, longest: int, *, required: bool = False) -> str:
    """Returns the value without surrounding space. Raises `Failure`."""
    value = value.strip()
    if required and not value:
        raise invalid(f"{field} is required")
    if len(value) > longest:
        raise invalid(f"{field} is longer than {longest} characters")
    if _CONTROL.search(value):
        raise invalid(f"{field} holds control characters")
    return value


def email(field: str, value: str) -> str:
    """Returns an email address in lower case. Raises `Failure`."""
    value = text(field, value, 254, required=True).lower()
    if not _EMAIL.fullmatch(value):
        raise invalid(f"{field} is not an email address")
    return value


def key(field: str, value: str) -> str:
    """Returns an idempotency key. Raises `Failure`."""
    if not value:
        raise invalid(f"{field} is required")
    if not _KEY.fullmatch(value):
        raise invalid(f"{field} is 1 to 200 visible ASCII characters")
    return value


def identity(field: str, value: int) -> int:
    """Returns an id. Raises `Failure`."""
    if not 0 < value <= LARGEST_ID:
        raise invalid(f"{field} is a number from 1 to {LARGEST_ID}")
    return value


def content_digest(request: Message) -> str:
    """Returns a digest of a request's content: what tells a repeated request from another one
    with the same key.
    """
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
