"""Calls to other collectors, and to this one's own port: what grpclib raises, in two words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.const import Status as GrpcStatus
from grpclib.exceptions import GRPCError, StreamTerminatedError

from grpclib_collector import contract

__all__ = ["CallFailed", "NotSent", "call"]


class NotSent(Exception):
    """There was no connection: the call has certainly not run."""


class CallFailed(Exception):
    """The call failed, and may have run."""

    def __init__(self, status: GrpcStatus, message: str) -> None:
        self.status = status
        super().__init__(f"{status.name}: {message}")


async def call(
    channel: Channel,
    path: str,
    request: Any,
    *,
    seconds: float,
    metadata: Collection[tuple[str, Any]] = (),
) -> Any:
    """Returns the response; raises `NotSent` or `CallFailed`."""
    method: Any = UnaryUnaryMethod(channel, path, *contract.method_types(path))
    try:
        return await method(request, timeout=seconds, metadata=metadata)
    # A deadline is an OSError too, and says nothing about whether the call ran.
    except TimeoutError as error:
        raise CallFailed(GrpcStatus.DEADLINE_EXCEEDED, "no answer in time") from error
    except OSError as error:
        raise NotSent(str(error)) from error
    except AttributeError as error:
        # What grpclib raises for a connection that the other side closed as soon as it was
        # open, before there was a stream.
        raise NotSent("the connection was closed at once") from error
    except StreamTerminatedError as error:
        raise CallFailed(GrpcStatus.UNAVAILABLE, "the connection was lost") from error
    except GRPCError as error:
        raise CallFailed(error.status, error.message or "no details") from error
