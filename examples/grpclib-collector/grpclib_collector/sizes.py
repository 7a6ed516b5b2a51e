"""How large a message may be: grpclib itself takes any size."""

from __future__ import annotations

from typing import Any

from grpclib.const import Status as GrpcStatus
from grpclib.encoding.proto import ProtoCodec
from grpclib.exceptions import GRPCError

__all__ = ["MAXIMUM_BYTES", "BoundedCodec"]

MAXIMUM_BYTES = 4 * 1024 * 1024


class BoundedCodec(ProtoCodec):
    """Refuses a message that is too large, before it is decoded."""

    def decode(self, data: bytes, message_type: Any) -> Any:
        if len(data) > MAXIMUM_BYTES:
            raise GRPCError(
                GrpcStatus.RESOURCE_EXHAUSTED,
                f"a message of {len(data)} bytes is larger than {MAXIMUM_BYTES}",
            )
        return super().decode(data, message_type)
