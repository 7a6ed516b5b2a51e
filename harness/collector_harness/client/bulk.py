# ruff: noqa: ASYNC109 - a deadline goes over the wire; asyncio.timeout does not
"""Registering thousands of services: one call each, many under way, and only one answer told.

A registry has no call that takes several services, so this is as fast as it can honestly be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from collector_harness.client.node_client import DEFAULT_TIMEOUT, NodeClient
from collector_harness.client.reply import Received, Reply, reply_of
from collector_harness.client.transport import MetadataInput, checked_metadata
from collector_reference.wire.registry_pb2 import RegisterServiceRequest, RegisterServiceResponse

__all__ = ["register_many"]

_PATH = "/collector.CollectorRegistry/RegisterService"
_UNDER_WAY = 64
"""Calls that are not answered yet, at most: enough to keep a collector busy, and far below what
servers allow on one connection."""


async def register_many(
    client: NodeClient,
    namespace: str,
    count: int,
    *,
    metadata: MetadataInput = (),
    timeout: float | None = DEFAULT_TIMEOUT,
) -> Reply:
    """Registers the services `s1`, `s2` and so on, without methods, up to that count.

    Returns the first answer that is not OK, and stops there; the last one where all are.
    `timeout` is in seconds, for each call.
    """
    pairs = checked_metadata(metadata)
    numbers = iter(range(1, count + 1))
    told: dict[int, Reply] = {}

    def understood(number: int, received: Received) -> bool:
        if number < count and _is_plainly_ok(received):
            return True
        reply = reply_of(
            received,
            node=client.node,
            rpc=_PATH,
            request={"namespace": namespace, "service_descriptor": {"name": f"s{number}"}},
            kind=RegisterServiceResponse,
            types=None,
        )
        told[number] = reply
        return reply.ok

    async def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            request = RegisterServiceRequest(namespace=namespace)
            request.service_descriptor.name = f"s{number}"
            received = await client.transport.unary(
                _PATH, request.SerializeToString(), timeout=timeout, metadata=pairs
            )
            if not understood(number, received):
                # The others stop as well: what is refused once is refused as it stands.
                for _ in numbers:
                    pass

    await asyncio.gather(*(work(numbers) for _ in range(min(_UNDER_WAY, count))))
    refused = [number for number, reply in sorted(told.items()) if not reply.ok]
    return told[refused[0]] if refused else told[count]


def _is_plainly_ok(received: Received) -> bool:
    if received.body is None:
        return False
    try:
        response = RegisterServiceResponse.FromString(received.body)
    except Exception:  # noqa: BLE001 - whatever protobuf says of hostile bytes
        return False
    return response.HasField("status") and response.status.code == 0
