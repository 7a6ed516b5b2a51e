"""`administration.CollectorAdmin`: what a collector tells its operators about itself.

It is on the port only where it is asked for, it only reads, and it is no part of the contract.
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any as Anything

import grpc
import grpc.aio

from collector_reference.dispatch.peers import Connection
from collector_reference.wire import admin_pb2_grpc
from collector_reference.wire.admin_pb2 import (
    AdminConnection,
    AdminHandler,
    GetStatisticsRequest,
    GetStatisticsResponse,
    ListConnectionsRequest,
    ListConnectionsResponse,
    ListHandlersRequest,
    ListHandlersResponse,
)

__all__ = ["AdminService", "AdminView", "is_of_this_machine"]

Context = grpc.aio.ServicerContext[Anything, Anything]


@dataclass(frozen=True, kw_only=True, slots=True)
class AdminView:
    """Where the service reads what it tells."""

    collector_id: str
    namespaces: Callable[[], tuple[str, ...]]
    connections: Callable[[], tuple[Connection, ...]]
    handlers: Callable[[], Mapping[tuple[str, str, str], int]]
    """How often each handler ran, by namespace, service and method; also those that never did."""
    rpcs: Callable[[], Mapping[str, int]]
    loopback_calls: Callable[[], int]


class AdminService(admin_pb2_grpc.CollectorAdminServicer):
    """Answers operators."""

    def __init__(self, view: AdminView, *, local: bool) -> None:
        """`local` is whether only callers of this machine are answered; else a policy has said
        before who may call.
        """
        self._view = view
        self._local = local

    async def ListConnections(  # noqa: N802 - the RPC's name
        self, _request: ListConnectionsRequest, context: Context
    ) -> ListConnectionsResponse:
        """Tells the connection table, breakers included."""
        await self._admit(context)
        return ListConnectionsResponse(
            collector_id=self._view.collector_id,
            namespaces=self._view.namespaces(),
            connections=[
                AdminConnection(
                    connection_id=each.connection_id,
                    collector_id=each.collector_id,
                    address=each.address,
                    shared_namespaces=each.shared_namespaces,
                    established=each.established,
                    serving=each.serving,
                    pending=each.pending,
                    breaker="" if each.breaker is None else each.breaker.phase.value,
                )
                for each in self._view.connections()
            ],
        )

    async def ListHandlers(  # noqa: N802
        self, request: ListHandlersRequest, context: Context
    ) -> ListHandlersResponse:
        """Tells the handlers of a namespace, or all."""
        await self._admit(context)
        return ListHandlersResponse(
            handlers=[
                AdminHandler(
                    namespace=namespace, service=service, method_name=method, executions=runs
                )
                for (namespace, service, method), runs in self._view.handlers().items()
                if request.namespace in ("", namespace)
            ]
        )

    async def GetStatistics(  # noqa: N802
        self, _request: GetStatisticsRequest, context: Context
    ) -> GetStatisticsResponse:
        """Tells what was counted."""
        await self._admit(context)
        return GetStatisticsResponse(
            rpcs=self._view.rpcs(),
            loopback_calls=self._view.loopback_calls(),
            executions={"/".join(key): runs for key, runs in self._view.handlers().items() if runs},
        )

    async def _admit(self, context: Context) -> None:
        if self._local and not is_of_this_machine(context.peer()):
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                "the admin service answers callers of this machine only",
            )


def is_of_this_machine(peer: str) -> bool:
    """Whether gRPC's name of a caller is one of this machine, such as `ipv4:127.0.0.1:40000`."""
    scheme, _, rest = peer.partition(":")
    if scheme == "unix":
        return True
    host = urllib.parse.unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
