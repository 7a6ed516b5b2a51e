"""From gRPC codes to HTTP: NOT_FOUND and INVALID_ARGUMENT as the guide has them, and the rest."""

from __future__ import annotations

import grpc

from shared_system.failures import Failure

__all__ = ["error_body", "http_status"]

_STATUSES = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.DATA_LOSS: 500,
}


def http_status(code: grpc.StatusCode) -> int:
    """Returns the HTTP status of a gRPC code."""
    return _STATUSES[code]


def error_body(failure: Failure) -> dict[str, str]:
    """Returns what a client is told. Of what broke inside it learns nothing."""
    broken = http_status(failure.code) == 500
    return {"error": "internal error" if broken else failure.message}
