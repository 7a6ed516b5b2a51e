"""The details that a gRPC status carries beside its text: `google.rpc.Status`, decoded.

Services send it as bytes in a trailer. What cannot be decoded is shown as it came.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from collector_harness.client.decoding import from_any, json_values
from collector_harness.client.reply import Reply

__all__ = ["TRAILER", "details_of"]

TRAILER = "grpc-status-details-bin"
"""The trailer that carries the status (see the gRPC richer error model)."""


def details_of(reply: Reply) -> object:
    """Returns the details of the status: the mapping of a status in the response, or the list of
    messages that gRPC's own status carries, each with its `@type`.
    """
    for key, value in reply.trailers:
        if key == TRAILER and isinstance(value, bytes):
            return _decoded(value)
    details: Mapping[str, str] = reply.details
    return dict(details)


def _decoded(content: bytes) -> list[object]:
    from google.rpc import status_pb2  # type: ignore[import-untyped]

    try:
        status = status_pb2.Status.FromString(content)
    except Exception:  # noqa: BLE001 - whatever protobuf says of hostile bytes
        return [{"@bytes": base64.b64encode(content[:4096]).decode("ascii")}]
    return [json_values(from_any(each)) for each in status.details[:1000]]
