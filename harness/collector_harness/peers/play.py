"""What stands before a played peer's honest services: it records every request, and answers
some of them oddly, late or never.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, cast

import grpc
import grpc.aio
from google.protobuf import json_format
from google.protobuf.message import Message

from collector_harness.client.decoding import from_message
from collector_harness.client.encoding import to_any
from collector_harness.errors import InvalidInput, Problem
from collector_harness.peers.values import ANSWER_FIELDS, LINK_SERVICE, OddAnswer, PlayedPeer
from collector_reference.validation.interceptor import LOOPBACK_HEADER
from collector_reference.wire import dispatcher_pb2, registry_pb2

__all__ = ["Play"]

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_HONEST = OddAnswer()
_MOST_RECORDED = 10_000


class Play(grpc.aio.ServerInterceptor):
    """Plays one peer. Lives on the loop of its server."""

    def __init__(self, name: str, part: PlayedPeer) -> None:
        """Raises `InvalidInput` for answers that do not fit their RPC."""
        self._part = part
        self._answered: Counter[str] = Counter()
        self._connected = asyncio.Event()
        self.calls: list[Mapping[str, object]] = []
        """Every call that came in: `rpc`, `request`, `metadata`, `deadline`, the seconds that
        were left, and `cancelled`, whether the caller gave up. Health checks and the peer's own
        calls are not among them."""
        for rpc, odd in part.answers.items():
            for fields in (odd.response or {}, odd.patch):
                _fill(_answer_to(rpc), fields, what=f"the answer of peer '{name}' to {rpc}")

    async def asked_to_connect(self) -> None:
        """Returns once somebody has sent a Connect."""
        await self._connected.wait()

    def forget(self) -> None:
        """Forgets what was recorded and how often was answered."""
        self.calls.clear()
        self._answered.clear()
        self._connected.clear()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Returns the handler that plays the RPC."""
        handler = await continuation(handler_call_details)
        service, _, rpc = handler_call_details.method.removeprefix("/").rpartition("/")
        own = any(key == LOOPBACK_HEADER for key, _ in handler_call_details.invocation_metadata)
        if own or handler is None or handler.unary_unary is None:
            return handler
        if not service.startswith("collector."):
            return _muted(handler) if self._part.silent else handler
        honest: Callable[..., Any] = handler.unary_unary

        async def answer(request: Message, context: Context) -> object:
            if _is_link_probe(request):
                return await _awaited(honest(request, context))
            call = self._record(f"{service}/{rpc}", request, context)
            try:
                return await self._answer(rpc, request, context, honest)
            except asyncio.CancelledError:
                call["cancelled"] = True
                raise

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _record(self, rpc: str, request: Message, context: Context) -> dict[str, object]:
        if rpc.endswith("/Connect"):
            self._connected.set()
        metadata: dict[str, list[object]] = {}
        for key, value in cast(Any, context.invocation_metadata() or ()):
            metadata.setdefault(key, []).append(value)
        call: dict[str, object] = {
            "rpc": rpc,
            "request": from_message(request),
            "metadata": metadata,
            "deadline": context.time_remaining(),
            "cancelled": False,
        }
        if len(self.calls) < _MOST_RECORDED:
            self.calls.append(call)
        return call

    async def _answer(
        self, rpc: str, request: Message, context: Context, honest: Callable[..., Any]
    ) -> object:
        odd = self._part.answers.get(rpc, _HONEST)
        self._answered[rpc] += 1
        if odd.times is not None and self._answered[rpc] > odd.times:
            odd = _HONEST
        late = (self._part.delay + odd.delay).total_seconds()
        if late:
            await asyncio.sleep(late)
        if self._part.silent or odd.silent:
            await _for_ever()
        if odd.grpc is not None:
            await context.abort(grpc.StatusCode[odd.grpc], odd.message)
        if odd.response is not None:
            return _fill(_answer_to(rpc), odd.response)
        answer = await _awaited(honest(request, context))
        return _fill(cast(Message, answer), odd.patch) if odd.patch else answer


def _is_link_probe(request: object) -> bool:
    service = getattr(request, "service", None)
    return getattr(service, "service_name", None) == LINK_SERVICE


def _answer_to(rpc: str) -> Message:
    if rpc not in ANSWER_FIELDS:
        raise InvalidInput(f"a peer has no RPC '{rpc}'")
    module = dispatcher_pb2 if hasattr(dispatcher_pb2, f"{rpc}Response") else registry_pb2
    return cast(Message, getattr(module, f"{rpc}Response")())


def _fill(message: Message, fields: Mapping[str, object], *, what: str = "an answer") -> Message:
    for name, value in fields.items():
        try:
            message.ClearField(name)
            if name == "output" and value is not None:
                packed = to_any(value)
                assert packed is not None
                cast(Any, message).output.CopyFrom(packed)
            elif value is not None:
                json_format.ParseDict({name: value}, message)
        except (json_format.ParseError, TypeError, ValueError) as error:
            raise InvalidInput(Problem(message=f"{what} cannot be made: {error}")) from error
    return message


def _muted(handler: Handler) -> Handler:
    async def never(_request: object, _context: object) -> None:
        await _for_ever()

    return grpc.unary_unary_rpc_method_handler(
        never,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _awaited(result: object) -> object:
    return await result if asyncio.iscoroutine(result) else result
