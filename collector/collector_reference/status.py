"""The canonical status names and their numbers in the three styles that collectors answer in.

A pure table: nothing here knows gRPC's library, messages, or how a number came in.
"""

from __future__ import annotations

import enum

__all__ = [
    "CanonicalStatus",
    "from_grpc",
    "from_http_like",
    "from_in_band",
    "from_status_code",
]


class CanonicalStatus(enum.StrEnum):
    """What a call came to, whichever layer told it (PROTOCOL.md, section 1)."""

    OK = "OK"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    DATA_LOSS = "DATA_LOSS"
    UNAUTHENTICATED = "UNAUTHENTICATED"

    @property
    def grpc(self) -> int:
        """The number that gRPC itself has for it."""
        return _NUMBERS[self][0]

    @property
    def in_band(self) -> int | None:
        """The small number of `Status.Code`; None for a name that has none."""
        return _NUMBERS[self][1]

    @property
    def http_like(self) -> int | None:
        """The dispatcher's number; None for a name that has none."""
        return _NUMBERS[self][2]


_NUMBERS: dict[CanonicalStatus, tuple[int, int | None, int | None]] = {
    CanonicalStatus.OK: (0, 0, 200),
    CanonicalStatus.CANCELLED: (1, 1, 499),
    CanonicalStatus.UNKNOWN: (2, 2, None),
    CanonicalStatus.INVALID_ARGUMENT: (3, 3, 400),
    CanonicalStatus.DEADLINE_EXCEEDED: (4, None, 504),
    CanonicalStatus.NOT_FOUND: (5, 4, 404),
    CanonicalStatus.ALREADY_EXISTS: (6, 5, 409),
    CanonicalStatus.PERMISSION_DENIED: (7, 6, 403),
    CanonicalStatus.RESOURCE_EXHAUSTED: (8, 7, 429),
    CanonicalStatus.FAILED_PRECONDITION: (9, 8, 412),
    CanonicalStatus.ABORTED: (10, 9, None),
    CanonicalStatus.OUT_OF_RANGE: (11, 10, None),
    CanonicalStatus.UNIMPLEMENTED: (12, 11, 501),
    CanonicalStatus.INTERNAL: (13, 12, 500),
    CanonicalStatus.UNAVAILABLE: (14, 13, 503),
    CanonicalStatus.DATA_LOSS: (15, 14, None),
    CanonicalStatus.UNAUTHENTICATED: (16, None, 401),
}
_BY_GRPC = {numbers[0]: status for status, numbers in _NUMBERS.items()}
_BY_IN_BAND = {numbers[1]: status for status, numbers in _NUMBERS.items() if numbers[1] is not None}
_BY_HTTP_LIKE = {
    numbers[2]: status for status, numbers in _NUMBERS.items() if numbers[2] is not None
}


def from_grpc(code: int) -> CanonicalStatus:
    """Returns the name of gRPC's number; UNKNOWN for a number that gRPC does not have."""
    return _BY_GRPC.get(code, CanonicalStatus.UNKNOWN)


def from_in_band(code: int) -> CanonicalStatus | None:
    """Returns the name of a small `Status.Code` number; None for an unnamed one."""
    return _BY_IN_BAND.get(code)


def from_http_like(code: int) -> CanonicalStatus | None:
    """Returns the name of a dispatcher's number; None for an unnamed one."""
    return _BY_HTTP_LIKE.get(code)


def from_status_code(code: int) -> CanonicalStatus | None:
    """Returns the name of any `Status.code`, in either style; None for an unnamed one."""
    return _BY_IN_BAND.get(code) or _BY_HTTP_LIKE.get(code)
