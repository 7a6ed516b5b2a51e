"""The probe service, by which a verifier sees from outside what was executed, and where."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from typing import Any

from google.protobuf.descriptor_pb2 import ServiceDescriptorProto
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import Int64Value, StringValue
from grpclib.const import Cardinality
from grpclib.const import Handler as Mounted

from grpclib_collector.handlers import Call, Deliberate, Handler

__all__ = ["PORT", "SERVICE", "Port", "Probe", "port_descriptor", "probe_descriptor"]

SERVICE = "conformance.Probe"
PORT = "conformance.Port"
_UNDECLARED = "Unregistered"
_WITHOUT_HANDLER = "Declared"


class Probe:
    """The methods of `conformance.Probe`; one object counts for all namespaces."""

    def __init__(self, collector_id: str) -> None:
        self._collector_id = collector_id
        self._runs: Counter[str] = Counter()
        self._cancelled = 0

    def handlers(self) -> dict[str, Handler]:
        return {
            "Echo": self._echo,
            "WhoAmI": self._who_am_i,
            "Count": self._count,
            "Fail": self._fail,
            "FailAfterCount": self._fail_after_count,
            "Crash": self._crash,
            "Sleep": self._sleep,
            "Cancelled": self._count_cancelled,
            "Silent": self._silent,
            "WrongType": self._wrong_type,
            "Unregistered": self._count,
            "Context": self._context,
        }

    async def _echo(self, given: Any, _call: Call) -> Any:
        return given

    async def _who_am_i(self, _given: Any, _call: Call) -> Any:
        return StringValue(value=self._collector_id)

    async def _count(self, given: Any, _call: Call) -> Any:
        key = _text(given)
        self._runs[key] += 1
        return Int64Value(value=self._runs[key])

    async def _fail(self, given: Any, _call: Call) -> Any:
        raise Deliberate(_text(given))

    async def _fail_after_count(self, given: Any, call: Call) -> Any:
        await self._count(given, call)
        raise Deliberate("counted, then failed")

    async def _crash(self, _given: Any, _call: Call) -> Any:
        raise SystemExit("the probe was asked to crash")

    async def _sleep(self, given: Any, _call: Call) -> Any:
        duration = Duration()
        if given is None or not given.Unpack(duration):
            raise Deliberate("Sleep takes a Duration")
        try:
            await asyncio.sleep(duration.ToTimedelta().total_seconds())
        except asyncio.CancelledError:
            self._cancelled += 1
            raise
        return Empty()

    async def _count_cancelled(self, _given: Any, _call: Call) -> Any:
        return Int64Value(value=self._cancelled)

    async def _silent(self, _given: Any, _call: Call) -> Any:
        return None

    async def _wrong_type(self, _given: Any, _call: Call) -> Any:
        return object()

    async def _context(self, _given: Any, call: Call) -> Any:
        context = Struct()
        context["deadline_seconds"] = call.seconds
        metadata = context.get_or_create_struct("metadata")
        for name in dict.fromkeys(call.metadata):
            values = metadata.get_or_create_list(name)
            for value in call.metadata.getall(name):
                binary = isinstance(value, bytes)
                values.append(base64.b64encode(value).decode("ascii") if binary else value)
        return context


class Port:
    """Methods on the port itself, by which the guard in front of it is seen."""

    def __init__(self) -> None:
        self._runs = 0

    def __mapping__(self) -> dict[str, Mounted]:
        def mounted(function: Any, cardinality: Cardinality, output: Any) -> Mounted:
            return Mounted(function, cardinality, Empty, output)

        return {
            f"/{PORT}/Unary": mounted(self._unary, Cardinality.UNARY_UNARY, Empty),
            f"/{PORT}/Unregistered": mounted(self._unary, Cardinality.UNARY_UNARY, Empty),
            f"/{PORT}/Stream": mounted(self._stream, Cardinality.UNARY_STREAM, Empty),
            f"/{PORT}/UnregisteredStream": mounted(self._stream, Cardinality.UNARY_STREAM, Empty),
            f"/{PORT}/Runs": mounted(self._tell, Cardinality.UNARY_UNARY, Int64Value),
        }

    async def _unary(self, stream: Any) -> None:
        await stream.recv_message()
        self._runs += 1
        await stream.send_message(Empty())

    async def _stream(self, stream: Any) -> None:
        await stream.recv_message()
        self._runs += 1
        for _ in range(3):
            await stream.send_message(Empty())

    async def _tell(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(Int64Value(value=self._runs))


def probe_descriptor(probe: Probe) -> ServiceDescriptorProto:
    """What the registry knows of the probe: one method less and one more than there are."""
    descriptor = ServiceDescriptorProto(name=SERVICE)
    for name in [*probe.handlers(), _WITHOUT_HANDLER]:
        if name != _UNDECLARED:
            descriptor.method.add(
                name=name,
                input_type=".google.protobuf.Any",
                output_type=".google.protobuf.Any",
            )
    return descriptor


def port_descriptor() -> ServiceDescriptorProto:
    """What the registry knows of the port's methods."""
    descriptor = ServiceDescriptorProto(name=PORT)
    empty, number = ".google.protobuf.Empty", ".google.protobuf.Int64Value"
    descriptor.method.add(name="Unary", input_type=empty, output_type=empty)
    descriptor.method.add(name="Stream", input_type=empty, output_type=empty, server_streaming=True)
    descriptor.method.add(name="Runs", input_type=empty, output_type=number)
    return descriptor


def _text(given: Any) -> str:
    value = StringValue()
    if given is None or not given.Unpack(value):
        raise Deliberate("a StringValue is expected")
    return value.value
