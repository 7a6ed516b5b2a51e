"""How a service says that it cannot do what it was asked: a gRPC code and a sentence."""

from __future__ import annotations

import grpc

__all__ = ["FAILURE_TRAILER", "Failure", "trailer"]

FAILURE_TRAILER = "x-failure"
"""The trailer by which a service's own failure is known from gRPC's: `passing` or `final`."""


class Failure(Exception):
    """What a caller is told. `message` is for people, and holds nothing internal.

    `passing` says that the same call may go well a moment later, and that it is worth making.
    """

    def __init__(self, code: grpc.StatusCode, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.passing = passing


def trailer(failure: Failure) -> tuple[tuple[str, str], ...]:
    """Returns the trailing metadata by which callers know a failure as the service's own."""
    return ((FAILURE_TRAILER, "passing" if failure.passing else "final"),)
