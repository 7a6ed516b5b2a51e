# ruff: noqa: ASYNC109 - a deadline goes over the wire; asyncio.timeout does not
"""Registering thousands of services, and connecting thousands of peers: one call each, many under
way, and only one answer told.

No RPC takes several of them, so calls cannot be faster than this. A collector that lives in this
process is given what lies between the first and the last service without a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import ServiceDescriptorProto
from google.protobuf.message import Message

from collector_harness.client.dialects import CONNECT, request_bytes
from collector_harness.client.node_client import DEFAULT_TIMEOUT, NodeClient
from collector_harness.client.reply import Received, Reply, reply_of
from collector_harness.client.transport import MetadataInput, checked_metadata
from collector_reference.errors import CollectorError
from collector_reference.wire.dispatcher_pb2 import ConnectRequest, ConnectResponse
from collector_reference.wire.registry_pb2 import RegisterServiceRequest, RegisterServiceResponse

__all__ = ["Directly", "connect_many", "register_many"]

_REGISTER = "/collector.CollectorRegistry/RegisterService"
_UNDER_WAY = 64
"""Calls that are not answered yet, at most: enough to keep a collector busy, and far below what
servers allow on one connection."""
_MANY = 1_000
"""Services from which on it is worth it to do without calls where that can be."""
_BETWEEN_BREATHS = 200
"""Services that are stored without a call, after which others get a turn."""

Directly = Callable[[str, ServiceDescriptorProto], Awaitable[None]]
"""Stores a service of a namespace in a collector of this process, as its registry would."""


async def register_many(
    client: NodeClient,
    namespace: str,
    count: int,
    *,
    first: int = 1,
    directly: Directly | None = None,
    metadata: MetadataInput = (),
    timeout: float | None = DEFAULT_TIMEOUT,
) -> Reply:
    """Registers the services `s1`, `s2` and so on, without methods, up to that count, from `first`.

    Returns the first answer that is not OK, and stops there; the last one where all are. Of very
    many, those between the first and the last are stored by `directly` where that is given, as far
    as it takes them. `timeout` is in seconds, for each call.
    """

    def request(number: int) -> Message:
        made = RegisterServiceRequest(namespace=namespace)
        made.service_descriptor.name = f"s{number}"
        return made

    def shown(number: int) -> Mapping[str, object]:
        return {"namespace": namespace, "service_descriptor": {"name": f"s{number}"}}

    async def called(numbers: range) -> Reply:
        return await _many(
            client,
            _REGISTER,
            numbers,
            request=request,
            shown=shown,
            kind=RegisterServiceResponse,
            ok=0,
            metadata=metadata,
            timeout=timeout,
        )

    numbers = range(first, count + 1)
    if directly is None or len(numbers) < _MANY:
        return await called(numbers)
    # By a call it shows whether who calls may register at all.
    reply = await called(numbers[:1])
    if not reply.ok:
        return reply
    left = await _stored(directly, namespace, numbers[1:-1])
    return await called(range(left, count + 1))


async def _stored(directly: Directly, namespace: str, numbers: range) -> int:
    """Returns the number of the first service that was not taken, or that comes after the last."""
    for number in numbers:
        try:
            await directly(namespace, ServiceDescriptorProto(name=f"s{number}"))
        except CollectorError:
            # What the collector says of it is told by the answer to a call.
            return number
        if number % _BETWEEN_BREATHS == 0:
            await asyncio.sleep(0)
    return numbers.stop


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
        range(1, count + 1),
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
    numbers: range,
    *,
    request: Callable[[int], Message],
    shown: Callable[[int], Mapping[str, object]],
    kind: type[Any],
    ok: int,
    metadata: MetadataInput,
    timeout: float | None,
) -> Reply:
    pairs = checked_metadata(metadata)
    last = numbers[-1]
    waiting = iter(numbers)
    told: dict[int, Reply] = {}

    def understood(number: int, received: Received) -> bool:
        if number < last and _is_plainly_ok(received, kind, ok):
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

    async def work() -> None:
        for number in waiting:
            body = request_bytes(path, request(number), client.dialect)
            received = await client.transport.unary(path, body, timeout=timeout, metadata=pairs)
            if not understood(number, received):
                # The others stop as well: what is refused once is refused as it stands.
                for _ in waiting:
                    pass

    await asyncio.gather(*(work() for _ in range(min(_UNDER_WAY, len(numbers)))))
    refused = [number for number, reply in sorted(told.items()) if not reply.ok]
    return told[refused[0]] if refused else told[last]


def _is_plainly_ok(received: Received, kind: type[Any], ok: int) -> bool:
    if received.body is None:
        return False
    try:
        response = kind.FromString(received.body)
    except Exception:  # noqa: BLE001 - whatever protobuf says of hostile bytes
        return False
    return bool(response.HasField("status") and response.status.code == ok)
