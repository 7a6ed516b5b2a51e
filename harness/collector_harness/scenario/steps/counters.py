"""What a node counted, as it tells it itself: a collector in the harness's process directly, any
other by the admin service, where it serves that (`protos/administration`).

What is expected of the counts is the business of the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from collector_harness.errors import InvalidInput, Problem
from collector_harness.mesh import MeshNode
from collector_reference.wire.admin_pb2 import GetStatisticsResponse, ListConnectionsResponse

__all__ = ["Counters", "connections_of", "counters_of"]

_ADMIN = "administration.CollectorAdmin/"
_TIMEOUT = 5.0

Answered = TypeVar("Answered", bound=Message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counters:
    """What was counted since a node became ready."""

    rpcs: Mapping[str, int]
    """Calls on its port, by the method's full name."""
    loopback_calls: int
    """How often its dispatcher really asked the registry."""
    executions: Mapping[str, int]
    """Runs of its handlers, by `namespace/service/method`."""


async def counters_of(node: MeshNode) -> Counters:
    """Raises `InvalidInput` for a node that does not tell."""
    if node.collector is not None:
        told = node.collector.statistics()
        return Counters(
            rpcs={path.removeprefix("/"): count for path, count in told.rpcs.items()},
            loopback_calls=told.loopback_calls,
            executions=dict(told.executions),
        )
    response = await _asked(node, "GetStatistics", GetStatisticsResponse.FromString)
    return Counters(
        rpcs={
            name: count
            for path, count in response.rpcs.items()
            # Being asked is no call of the scenario's.
            if not (name := path.removeprefix("/")).startswith(_ADMIN)
        },
        loopback_calls=response.loopback_calls,
        executions=dict(response.executions),
    )


async def connections_of(node: MeshNode) -> list[dict[str, object]]:
    """Returns the connections that a node has now; raises as `counters_of` does."""
    told = (
        (await _asked(node, "ListConnections", ListConnectionsResponse.FromString)).connections
        if node.collector is None
        else node.collector.connections()
    )
    return [
        {
            "collector_id": each.collector_id,
            "address": each.address,
            "shared_namespaces": list(each.shared_namespaces),
            "established": each.established,
        }
        for each in told
    ]


async def _asked(node: MeshNode, method: str, read: Callable[[bytes], Answered]) -> Answered:
    # Every request of the service is without fields that have to be filled.
    received = await node.client.transport.unary(
        f"/{_ADMIN}{method}", b"", timeout=_TIMEOUT, metadata=()
    )
    if received.body is None:
        raise _out_of_sight(node, received.message)
    try:
        return read(received.body)
    except DecodeError as error:
        raise _out_of_sight(node, "its answer cannot be read") from error


def _out_of_sight(node: MeshNode, reason: str) -> InvalidInput:
    return InvalidInput(
        Problem(
            message=f"node '{node.name}' is not in this process: its counters are out of sight",
            hint="say `collector: reference` for this node, or let it serve the admin service, as "
            "the reference does with environment: {COLLECTOR_ADMIN: local}, or expect what can be "
            f"seen from outside; it was asked, and said: {reason}",
        )
    )
