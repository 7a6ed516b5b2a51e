# ruff: noqa: ASYNC109 - a deadline goes over the wire; asyncio.timeout does not
"""Registering thousands of services, and connecting thousands of peers: one call each, many under
way, and only one answer told.

No RPC takes several of them, so this is as fast as it can honestly be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from collector_harness.client.dialects import CONNECT, request_bytes
from collector_harness.client.node_client import DEFAULT_TIMEOUT, NodeClient
from collector_harness.client.reply import Received, Reply, reply_of
from collector_harness.client.transport import MetadataInput, checked_metadata
from collector_reference.wire.dispatcher_pb2 import ConnectRequest, ConnectResponse
from collector_reference.wire.registry_pb2 import RegisterServiceRequest, RegisterServiceResponse

__all__ = ["connect_many", "register_many"]

_REGISTER = "/collector.CollectorRegistry/RegisterService"
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

    def request(number: int) -> Message:
        made = RegisterServiceRequest(namespace=namespace)
        made.service_descriptor.name = f"s{number}"
        return made

    def shown(number: int) -> Mapping[str, object]:
        return {"namespace": namespace, "service_descriptor": {"name": f"s{number}"}}

    return await _many(
        client,
        _REGISTER,
        count,
        request=request,
        shown=shown,
        kind=RegisterServiceResponse,
        ok=0,
        metadata=metadata,
        timeout=timeout,
    )


async def connect_many(
    client: NodeClient,
    collector_id: str,
    address: str,
    namespaces: Sequence[str],
    count: int,
    *,
    metadata: MetadataInput = (),
    timeout: float | None = DEFAULT_TIMEOUT,
) -> Reply:
    """Connects peers with the ids `ID-1`, `ID-2` and so on, all at one address, up to that count.

    Returns the first answer that is not OK, and stops there; the last one where all are.
    `timeout` is in seconds, for each call.
    """

    def request(number: int) -> Message:
        return ConnectRequest(
            collector_id=f"{collector_id}-{number}", address=address, namespaces=namespaces
        )

    def shown(number: int) -> Mapping[str, object]:
        return {
            "collector_id": f"{collector_id}-{number}",
            "address": address,
            "namespaces": list(namespaces),
        }

    return await _many(
        client,
        CONNECT,
        count,
        request=request,
        shown=shown,
        kind=ConnectResponse,
        ok=200,
        metadata=metadata,
        timeout=timeout,
    )


async def _many(
    client: NodeClient,
    path: str,
    count: int,
    *,
    request: Callable[[int], Message],
    shown: Callable[[int], Mapping[str, object]],
    kind: type[Any],
    ok: int,
    metadata: MetadataInput,
    timeout: float | None,
) -> Reply:
    pairs = checked_metadata(metadata)
    numbers = iter(range(1, count + 1))
    told: dict[int, Reply] = {}

    def understood(number: int, received: Received) -> bool:
        if number < count and _is_plainly_ok(received, kind, ok):
            return True
        reply = reply_of(
            received,
            node=client.node,
            rpc=path,
            request=shown(number),
            kind=kind,
            types=None,
        )
        told[number] = reply
        return reply.ok

    async def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            body = request_bytes(path, request(number), client.dialect)
            received = await client.transport.unary(path, body, timeout=timeout, metadata=pairs)
            if not understood(number, received):
                # The others stop as well: what is refused once is refused as it stands.
                for _ in numbers:
                    pass

    await asyncio.gather(*(work(numbers) for _ in range(min(_UNDER_WAY, count))))
    refused = [number for number, reply in sorted(told.items()) if not reply.ok]
    return told[refused[0]] if refused else told[count]


def _is_plainly_ok(received: Received, kind: type[Any], ok: int) -> bool:
    if received.body is None:
        return False
    try:
        response = kind.FromString(received.body)
    except Exception:  # noqa: BLE001 - whatever protobuf says of hostile bytes
        return False
    return bool(response.HasField("status") and response.status.code == ok)
