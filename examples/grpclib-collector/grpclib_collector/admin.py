"""What the collector counts, and the admin service that tells it. Off unless it is asked for.

The service is no part of the contract. With it the harness can look at the counters of this
process as it looks at those of collectors in its own.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Any

from grpclib.const import Status as GrpcStatus
from grpclib.events import RecvRequest, listen
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from grpclib_collector import contract

__all__ = ["LOOK", "SERVICE", "Admin", "Counts"]

contract.load("administration.binpb")

SERVICE = "administration.CollectorAdmin"
LOOK = ("x-collector-look", "true")
"""The metadata of the collector's own looks at its registry, which nobody asked for."""

_Statistics = contract.message("administration.GetStatisticsResponse")
_Handlers = contract.message("administration.ListHandlersResponse")


class Counts:
    """What has happened since the collector became ready."""

    def __init__(self) -> None:
        self.rpcs: Counter[str] = Counter()
        self.loopback_calls = 0
        self.executions: Counter[tuple[str, str, str]] = Counter()

    def begin(self) -> None:
        """Forgets what proved the wiring."""
        self.rpcs.clear()
        self.loopback_calls = 0

    def count_rpcs(self, server: Server) -> None:
        """Counts every call on a server's port, refused ones included."""

        async def count(event: RecvRequest) -> None:
            if event.metadata.get(LOOK[0]) != LOOK[1]:
                self.rpcs[event.method_name] += 1

        listen(server, RecvRequest, count)


class Admin:
    """The RPCs of `administration.CollectorAdmin`, for callers of this machine."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    async def GetStatistics(self, _request: Any, stream: Any) -> Any:
        _admit(stream)
        counts = self._counts
        return _Statistics(
            rpcs=counts.rpcs,
            loopback_calls=counts.loopback_calls,
            executions={"/".join(key): runs for key, runs in counts.executions.items()},
        )

    async def ListHandlers(self, request: Any, stream: Any) -> Any:
        _admit(stream)
        names = ("namespace", "service", "method_name")
        return _Handlers(
            handlers=[
                {**dict(zip(names, key, strict=True)), "executions": runs}
                for key, runs in self._counts.executions.items()
                if request.namespace in ("", key[0])
            ]
        )

    async def ListConnections(self, _request: Any, _stream: Any) -> Any:
        raise GRPCError(GrpcStatus.UNIMPLEMENTED, "grpclib does not tell whether a channel is up")


def _admit(stream: Any) -> None:
    address = stream.peer.addr()
    try:
        local = address is not None and ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        local = False
    if not local:
        raise GRPCError(GrpcStatus.PERMISSION_DENIED, "only callers of this machine are answered")
