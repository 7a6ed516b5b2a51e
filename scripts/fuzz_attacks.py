"""What nobody should send to a collector: bytes, frames, messages, descriptors, names, metadata.

Each attack returns how many things it sent. Whether the collector stood it is `fuzz`'s to find out.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import Message

from collector_reference.wire.common_pb2 import ServiceTypeRef
from collector_reference.wire.dispatcher_pb2 import ConnectRequest, DispatchRequest, ServeRequest
from collector_reference.wire.registry_pb2 import (
    ListServicesRequest,
    LookupServiceRequest,
    RegisterProtoRequest,
    RegisterServiceRequest,
    ValidateMethodRequest,
)

__all__ = ["ATTACKS", "Target"]

_DISPATCHER, _REGISTRY = "/collector.CollectiveDispatcher/", "/collector.CollectorRegistry/"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_CALL_LIMIT = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What is attacked, and the dice that decide how."""

    address: str
    channel: grpc.aio.Channel
    dice: random.Random

    async def call(
        self, path: str, message: bytes, metadata: tuple[tuple[str, str | bytes], ...] = ()
    ) -> None:
        """Makes a call with these bytes as its message; any answer will do, none will not."""
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(path)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await method(message, timeout=_CALL_LIMIT, metadata=metadata)

    async def send(self, data: bytes) -> None:
        """Sends bytes on a connection of their own, reads what comes back, and hangs up."""
        host, _, port = self.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(data)
            async with asyncio.timeout(0.05):
                await writer.drain()
                while await reader.read(65536):
                    pass
        except (ConnectionError, TimeoutError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def _valid(dice: random.Random) -> list[tuple[str, Message]]:
    payload = Any(type_url="type.googleapis.com/google.protobuf.Struct", value=b"\n\x02\n\x00")
    probe = ServiceTypeRef(namespace="shop", service_name="conformance.Probe")
    service = ServiceDescriptorProto(
        name="Fuzzed",
        method=[MethodDescriptorProto(name=name, input_type=".a.B") for name in ("One", "Two")],
    )
    file = FileDescriptorProto(name="f.proto", message_type=[DescriptorProto(name="M")])
    return [
        (
            _DISPATCHER + "Serve",
            ServeRequest(namespace="shop", service=probe, method_name="Echo", input=payload),
        ),
        (
            _DISPATCHER + "Dispatch",
            DispatchRequest(
                namespace="shop",
                service=probe,
                method_name="Echo",
                input=payload,
                target_collector_id=dice.choice(["", "hub", "nobody"]),
                routing_hints={"key": "value"},
            ),
        ),
        (
            _DISPATCHER + "Connect",
            ConnectRequest(collector_id="peer", address="127.0.0.1:1", namespaces=["shop"]),
        ),
        (
            _REGISTRY + "RegisterService",
            RegisterServiceRequest(
                namespace="fuzz", service_descriptor=service, file_descriptor=file
            ),
        ),
        (
            _REGISTRY + "RegisterProto",
            RegisterProtoRequest(namespace="fuzz", file_descriptor=file, dependencies=[file]),
        ),
        (
            _REGISTRY + "LookupService",
            LookupServiceRequest(namespace="shop", service_name="conformance.Probe"),
        ),
        (
            _REGISTRY + "ValidateMethod",
            ValidateMethodRequest(
                namespace="shop", service_name="conformance.Probe", method_name="Echo"
            ),
        ),
        (_REGISTRY + "ListServices", ListServicesRequest(namespace="shop")),
    ]


def _mutated(message: bytes, dice: random.Random) -> bytes:
    data = bytearray(message)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << dice.randrange(8)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = bytes(data[: dice.randint(0, 64)]) * dice.randint(1, 50)
            case 3:
                data[at:at] = dice.randbytes(dice.randint(1, 16))
            case 4:
                # A length that goes far beyond the end.
                data[at:at] = b"\x0a\xff\xff\xff\xff\x07"
            case _:
                del data[at : at + dice.randint(1, 8)]
    return bytes(data)


async def raw_bytes(target: Target) -> int:
    """Bytes that are no HTTP/2, HTTP/1 and TLS among them."""
    dice = target.dice
    sent = [
        dice.randbytes(dice.randint(1, 4096)),
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(512),
        _PREFACE[: dice.randint(1, len(_PREFACE) - 1)],
        _PREFACE + dice.randbytes(dice.randint(1, 2048)),
        b"\x00" * 8192,
    ]
    await asyncio.gather(*(target.send(data) for data in sent))
    return len(sent)


def _frame(kind: int, flags: int, stream: int, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + body


def _headers(path: bytes = b"/collector.CollectiveDispatcher/Serve") -> bytes:
    fields = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": path,
        b":authority": b"here",
        b"te": b"trailers",
        b"content-type": b"application/grpc",
    }
    # Literals without indexing; each is shorter than what one byte of length can tell.
    return b"".join(
        b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
        for name, value in fields.items()
    )


async def broken_frames(target: Target) -> int:
    """HTTP/2 frames that are cut, out of order, too long, too many or for no stream."""
    dice = target.dice
    begin = _PREFACE + _frame(4, 0, 0, b"")
    opened = begin + _frame(1, 4, 1, _headers())
    sent = [
        begin
        + b"".join(
            _frame(
                dice.randrange(12),
                dice.randrange(256),
                dice.choice([0, 1, 2, 3, 0x7FFFFFFF]),
                dice.randbytes(dice.randint(0, 64)),
            )
            for _ in range(40)
        ),
        begin + _frame(1, 4, 1, dice.randbytes(100)),
        begin + _frame(1, 0, 1, _headers()) + b"".join(_frame(9, 0, 1, b"") for _ in range(500)),
        begin + _frame(1, 4, 1, _headers()[:-20]),
        begin + _frame(1, 4, 2, _headers()),
        begin + _frame(0, 0, 5, b"data for no stream"),
        begin + _frame(0, 0, 0, b"data for the connection"),
        begin + _frame(4, 0, 0, struct.pack(">HI", 4, 0xFFFFFFFF)),
        begin + _frame(8, 0, 0, struct.pack(">I", 0x7FFFFFFF)) * 3,
        begin + _frame(6, 0, 0, b"12345678") * 500,
        begin + _frame(4, 0, 0, b"") * 500,
        begin + _frame(0, 0, 1, b"short", length=0xFFFFFF),
        opened + _frame(0, 1, 1, b"\x00\xff\xff\xff\xff"),
        opened + _frame(0, 1, 1, b"\x01\x00\x00\x00\x03abc"),
        opened + _frame(0, 1, 1, b"\x00\x00\x00\x00\x05ab"),
        opened + _frame(0, 8, 1, b"\xff"),
        # Calls that are begun and taken back at once.
        begin
        + b"".join(
            _frame(1, 4, stream, _headers()) + _frame(3, 0, stream, struct.pack(">I", 8))
            for stream in range(1, 200, 2)
        ),
        opened[: dice.randint(len(begin), len(opened) - 1)],
    ]
    await asyncio.gather(*(target.send(data) for data in sent))
    return len(sent)


async def mutated_messages(target: Target) -> int:
    """Valid messages with flipped bits, cut short, with parts repeated or put in."""
    calls = [
        (path, _mutated(message.SerializeToString(), target.dice))
        for path, message in _valid(target.dice) * 4
    ]
    await asyncio.gather(*(target.call(path, message) for path, message in calls))
    return len(calls)


def _nested(depth: int, inner: bytes, tag: int) -> bytes:
    for _ in range(depth):
        size, length = len(inner), b""
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        inner = bytes([tag]) + length + bytes([size]) + inner
    return inner


async def nested_messages(target: Target) -> int:
    """Messages and payloads within each other, many times over."""
    depth = target.dice.choice([50, 99, 101, 1000, 5000])
    payload = Any(type_url="type.googleapis.com/google.protobuf.Any")
    payload.value = _nested(depth, b"", 0x12)
    serve = ServeRequest(namespace="shop", method_name="Echo", input=payload)
    serve.service.service_name = "conformance.Probe"
    # nested_type is field 3 of DescriptorProto, message_type field 4 of FileDescriptorProto.
    file = _nested(1, _nested(1, _nested(depth, b"\n\x01M", 0x1A), 0x22), 0x12)
    await target.call(_DISPATCHER + "Serve", serve.SerializeToString())
    await target.call(_REGISTRY + "RegisterProto", b"\n\x04fuzz" + file)
    return 2


async def hostile_descriptors(target: Target) -> int:
    """Descriptors that import themselves, are huge, or name things twice or not in UTF-8."""
    here = FileDescriptorProto(name="a.proto", dependency=["a.proto", "b.proto"])
    there = FileDescriptorProto(name="b.proto", dependency=["a.proto"])
    many = [MethodDescriptorProto(name=f"Method{number}") for number in range(10_000)]
    twice = [MethodDescriptorProto(name="Same"), MethodDescriptorProto(name="Same")]
    services = [
        ServiceDescriptorProto(name="Many", method=many),
        ServiceDescriptorProto(name="Twice", method=twice),
        ServiceDescriptorProto(name="n" * 1_000_000),
        ServiceDescriptorProto(name="Long", method=[MethodDescriptorProto(name="m" * 1_000_000)]),
    ]
    requests: list[tuple[str, bytes]] = [
        (
            "RegisterProto",
            RegisterProtoRequest(
                namespace="fuzz", file_descriptor=here, dependencies=[there, here]
            ).SerializeToString(),
        ),
        (
            "RegisterProto",
            RegisterProtoRequest(
                namespace="fuzz",
                file_descriptor=FileDescriptorProto(
                    name="m.proto", message_type=[DescriptorProto(name="M")] * 5_000
                ),
            ).SerializeToString(),
        ),
        *(
            (
                "RegisterService",
                RegisterServiceRequest(
                    namespace="fuzz", service_descriptor=service, file_descriptor=here
                ).SerializeToString(),
            )
            for service in services
        ),
        ("RegisterService", b"\n\x04fuzz\x12\x04\n\x02\xff\xfe"),
        ("RegisterService", b"\n\x02\xc3\x28\x12\x03\n\x01S"),
        ("LookupService", b"\n\x04fuzz\x12\x02\xff\xfe"),
    ]
    for method, message in requests:
        await target.call(_REGISTRY + method, message)
    return len(requests)


async def endless_names(target: Target) -> int:
    """Namespaces, services, methods, targets and paths that nobody has heard of."""

    def name() -> str:
        return target.dice.randbytes(12).hex()

    calls: list[tuple[str, bytes]] = []
    for _ in range(40):
        service = ServiceTypeRef(service_name=name())
        calls += [
            (
                _DISPATCHER + "Serve",
                ServeRequest(
                    namespace=name(), service=service, method_name=name()
                ).SerializeToString(),
            ),
            (
                _DISPATCHER + "Dispatch",
                DispatchRequest(
                    namespace=target.dice.choice(["shop", name()]),
                    service=service,
                    method_name=name(),
                    target_collector_id=target.dice.choice(["", name()]),
                ).SerializeToString(),
            ),
            (
                _REGISTRY + "ValidateMethod",
                ValidateMethodRequest(
                    namespace=name(), service_name=name(), method_name=name()
                ).SerializeToString(),
            ),
            (
                _REGISTRY + "LookupService",
                LookupServiceRequest(namespace=name(), service_name=name()).SerializeToString(),
            ),
            (f"/{name()}/{name()}", b""),
            (f"/collector.CollectiveDispatcher/{name()}", b""),
        ]
    await asyncio.gather(*(target.call(path, message) for path, message in calls))
    return len(calls)


async def long_names(target: Target) -> int:
    """Names that are as long as messages may be: what is kept of them must be little."""

    def name() -> str:
        return target.dice.randbytes(100_000).hex()

    service = ServiceTypeRef(service_name=name())
    calls: list[tuple[str, Message]] = [
        ("Serve", ServeRequest(namespace=name(), service=service, method_name=name())),
        ("Serve", ServeRequest(namespace="shop", service=service, method_name="M")),
        ("Dispatch", DispatchRequest(namespace=name(), service=service, method_name="M")),
        ("Connect", ConnectRequest(collector_id=name(), address="host:1", namespaces=[name()])),
    ]
    await asyncio.gather(
        *(target.call(_DISPATCHER + rpc, each.SerializeToString()) for rpc, each in calls)
    )
    return len(calls)


async def metadata_floods(target: Target) -> int:
    """Metadata that is too much, too long, or names what it should not."""
    dice = target.dice
    path, message = _valid(dice)[0]
    floods: list[tuple[tuple[str, str | bytes], ...]] = [
        tuple((f"key-{number}", "value" * 8) for number in range(500)),
        (("long", "v" * 60_000),),
        tuple(("same", str(number)) for number in range(300)),
        (("binary-bin", dice.randbytes(6_000)),),
        (("traceparent", "0" * 4_000), ("tracestate", "x=" * 2_000)),
        (("x-correlation-id", dice.randbytes(16).hex() * 100),),
        (("x-collector-loopback", dice.randbytes(16).hex()),),
    ]
    data = message.SerializeToString()
    await asyncio.gather(*(target.call(path, data, metadata=flood) for flood in floods))
    return len(floods)


ATTACKS: tuple[Callable[[Target], Awaitable[int]], ...] = (
    raw_bytes,
    broken_frames,
    mutated_messages,
    nested_messages,
    hostile_descriptors,
    endless_names,
    long_names,
    metadata_floods,
)
"""All attacks, each of which is made in each round."""
