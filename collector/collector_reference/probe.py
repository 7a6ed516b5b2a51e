"""The probe service, by which execution can be observed from outside (PROTOCOL.md, section 4).

`conformance.Probe` is a table of handlers like any other; `conformance.Port` is
mounted on the port itself, to show the interceptor.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any as Anything

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from collector_reference.descriptors import PORT
from collector_reference.dispatch.handlers import Handler, HandlerContext
from collector_reference.errors import HandlerError

__all__ = ["PROBE", "Probe"]

PROBE = "conformance.Probe"

Context = grpc.aio.ServicerContext[Anything, Anything]
PortMethod = Callable[[Empty, Context], Anything]


class Probe:
    """The probe of one collector: its handlers and what they count."""

    registered_on_port = ("Unary", "Stream", "Runs")
    """The methods of `conformance.Port` that are in the system namespace."""

    def __init__(self, collector_id: str) -> None:
        self._id = collector_id
        self._counts: Counter[str] = Counter()
        self._cancelled = 0
        self._port_runs = 0

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers by method; they take the input as the `Any` it came in."""
        return {
            "Echo": self._echo,
            "WhoAmI": self._who_am_i,
            "Count": self._count,
            "Fail": self._fail,
            "FailAfterCount": self._fail_after_count,
            "Crash": self._crash,
            "Sleep": self._sleep,
            "Cancelled": self._cancelled_sleeps,
            "Silent": self._silent,
            "WrongType": self._wrong_type,
            "Unregistered": self._count,
            "Context": self._context,
        }

    @property
    def declared(self) -> tuple[str, ...]:
        """The methods that are in the registry: without `Unregistered`, with `Declared`."""
        return (*(name for name in self.handlers if name != "Unregistered"), "Declared")

    def reset(self) -> None:
        """Sets every count to zero."""
        self._counts.clear()
        self._cancelled = 0
        self._port_runs = 0

    async def _echo(self, payload: Any | None, _context: HandlerContext) -> Any | None:
        return payload

    async def _who_am_i(self, _payload: Any | None, _context: HandlerContext) -> str:
        return self._id

    async def _count(self, payload: Any | None, _context: HandlerContext) -> int:
        key = _text(payload)
        self._counts[key] += 1
        return self._counts[key]

    async def _fail(self, payload: Any | None, _context: HandlerContext) -> None:
        raise HandlerError(_text(payload))

    async def _fail_after_count(self, payload: Any | None, context: HandlerContext) -> None:
        runs = await self._count(payload, context)
        raise HandlerError(f"failed after count {runs}")

    async def _crash(self, _payload: Any | None, _context: HandlerContext) -> None:
        raise SystemExit("the probe crashes")

    async def _sleep(self, payload: Any | None, _context: HandlerContext) -> Empty:
        duration = Duration()
        if payload is not None and not payload.Unpack(duration):
            raise HandlerError("Sleep takes a google.protobuf.Duration")
        try:
            await asyncio.sleep(duration.seconds + duration.nanos / 1e9)
        except asyncio.CancelledError:
            self._cancelled += 1
            raise
        return Empty()

    async def _cancelled_sleeps(self, _payload: Any | None, _context: HandlerContext) -> int:
        return self._cancelled

    async def _silent(self, _payload: Any | None, _context: HandlerContext) -> None:
        return None

    async def _wrong_type(self, _payload: Any | None, _context: HandlerContext) -> object:
        return object()

    async def _context(self, _payload: Any | None, context: HandlerContext) -> dict[str, object]:
        metadata: dict[str, list[str]] = {}
        for key, value in context.metadata:
            text = base64.b64encode(value).decode() if isinstance(value, bytes) else value
            metadata.setdefault(key, []).append(text)
        left = context.time_left
        return {
            "deadline_seconds": None if left is None else left.total_seconds(),
            "metadata": metadata,
        }

    # On the port

    def add_to(self, server: grpc.aio.Server) -> None:
        """Mounts `conformance.Port`."""
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    PORT,
                    {
                        "Unary": _unary(self._port_unary),
                        "Stream": _stream(self._port_stream),
                        "Unregistered": _unary(self._port_unary),
                        "UnregisteredStream": _stream(self._port_stream),
                        "Runs": _unary(self._runs),
                    },
                ),
            )
        )

    async def _port_unary(self, _request: Empty, _context: Context) -> Empty:
        self._port_runs += 1
        return Empty()

    async def _port_stream(self, _request: Empty, _context: Context) -> AsyncIterator[Empty]:
        self._port_runs += 1
        for _ in range(3):
            yield Empty()

    async def _runs(self, _request: Empty, _context: Context) -> Int64Value:
        return Int64Value(value=self._port_runs)


def _text(payload: Any | None) -> str:
    text = StringValue()
    if payload is None or not payload.Unpack(text):
        raise HandlerError("this method takes a google.protobuf.StringValue")
    return text.value


def _unary(
    function: PortMethod,
) -> grpc.RpcMethodHandler[Empty, Anything]:
    return grpc.unary_unary_rpc_method_handler(
        function,
        request_deserializer=Empty.FromString,
        response_serializer=_serialized,
    )


def _stream(
    function: PortMethod,
) -> grpc.RpcMethodHandler[Empty, Anything]:
    return grpc.unary_stream_rpc_method_handler(
        function,
        request_deserializer=Empty.FromString,
        response_serializer=_serialized,
    )


def _serialized(message: Anything) -> bytes:
    data: bytes = message.SerializeToString()
    return data
