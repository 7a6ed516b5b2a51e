"""What came back from a call, whichever way it answered, as one value."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from collector_harness.client.decoding import from_any, from_message, json_values
from collector_harness.client.pools import TypePool
from collector_harness.events import Layer
from collector_harness.late import late_field, later
from collector_reference.status import from_grpc, from_http_like, from_in_band

__all__ = ["MISSING", "UNDECODABLE", "Metadata", "Reply", "of_contract"]

MISSING = "MISSING"
"""The status of an answer that gRPC calls OK, but that carries no status (WIR-003)."""

UNDECODABLE = "UNDECODABLE"
"""The status of an answer that gRPC calls OK, but that is not the message it should be."""

Metadata = tuple[tuple[str, str | bytes], ...]
"""Keys and values as they came, in order; values of keys that end in `-bin` are bytes."""

_FIRST_HTTP_LIKE = 100


@dataclass(frozen=True, kw_only=True)  # without slots, for what is made when it is read
class Reply:
    """An answer. It is a value for failures too: a call that fails raises nothing."""

    node: str
    """The node that was asked."""
    rpc: str
    """Such as `/collector.CollectiveDispatcher/Dispatch`."""
    request: object = late_field()
    """The request as JSON values."""
    status: str
    """The canonical name, such as `NOT_FOUND`; `CODE_<number>` for a number without a name;
    `MISSING` or `UNDECODABLE` for an answer without a status."""
    layer: Layer
    """Which layer told the status; for the number of a `Status`, the style that it is in."""
    code: int
    """The number that the status was told by."""
    message: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    """The `details` of the status."""
    output: object = late_field(None)
    """The decoded `output` where the response has one, else the whole response; None where it
    is unset or the call failed in gRPC."""
    handled_by: str | None = None
    """The collector that executed the call, as the answer says; None where it does not."""
    response: object = late_field(None)
    """The whole response as JSON values; None when the call failed in gRPC."""
    headers: Metadata = late_field(())  # noqa: RUF009 - a descriptor
    trailers: Metadata = late_field(())  # noqa: RUF009
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the status is OK."""
        return self.status == "OK"


Told = Iterable[tuple[str, str | bytes]]
"""Metadata as gRPC tells it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """What gRPC handed over for one call, before it is understood."""

    code: int
    """gRPC's own number."""
    message: str
    body: bytes | None
    """None unless gRPC calls it OK."""
    headers: Told | None
    trailers: Told | None
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """What of a type of response an answer tells."""

    has_status: bool
    """Whether it has the contract's `Status`."""
    has_output: bool
    executor: str | None
    """The field that names who executed the call."""


def reply_of(
    received: Received,
    *,
    node: str,
    rpc: str,
    request: object,
    kind: type[Message],
    types: TypePool | None,
) -> Reply:
    """Returns the answer that `received` is, where it should be a message of type `kind`."""
    if received.body is None:
        return grpc_reply(received, node=node, rpc=rpc, request=request)
    try:
        response = kind.FromString(received.body)
    except Exception as error:  # noqa: BLE001 - whatever protobuf says of hostile bytes
        return grpc_reply(
            received,
            node=node,
            rpc=rpc,
            request=request,
            status=UNDECODABLE,
            message=of_contract(f"the answer is not a {kind.DESCRIPTOR.full_name}: {error}"),
        )
    shape = _shape_of(kind.DESCRIPTOR)
    status, layer, code, message, details = _status_of(response, shape)
    return Reply(
        node=node,
        rpc=rpc,
        request=request,
        status=status,
        layer=layer,
        code=code,
        message=message,
        details=details,
        output=later(lambda: _output_of(response, shape, types)),
        handled_by=(getattr(response, shape.executor) or None) if shape.executor else None,
        response=later(lambda: json_values(from_message(response, types=types))),
        headers=later(lambda: _pairs(received.headers)),
        trailers=later(lambda: _pairs(received.trailers)),
        seconds=received.seconds,
    )


def grpc_reply(
    received: Received,
    *,
    node: str,
    rpc: str,
    request: object,
    status: str | None = None,
    message: str | None = None,
    output: object = None,
    response: object = None,
) -> Reply:
    """Returns an answer whose status is gRPC's own, unless another is given."""
    return Reply(
        node=node,
        rpc=rpc,
        request=request,
        status=from_grpc(received.code).value if status is None else status,
        layer="grpc",
        code=received.code,
        message=received.message if message is None else message,
        output=output,
        response=response,
        headers=later(lambda: _pairs(received.headers)),
        trailers=later(lambda: _pairs(received.trailers)),
        seconds=received.seconds,
    )


def of_contract(text: str) -> str:
    """Returns text with the names that the contract has, where our copy of it has its own."""
    return text.replace("collector_reference.wire.", "collector.")


@functools.lru_cache(maxsize=256)  # bounded, as nodes bring types of their own
def _shape_of(kind: Descriptor) -> _Shape:
    fields = kind.fields_by_name
    status = fields.get("status")
    executors = ("handled_by_collector_id", "executor_id")
    return _Shape(
        has_status=status is not None
        and status.message_type is not None
        and status.message_type.name == "Status",
        has_output="output" in fields,
        executor=next((name for name in executors if name in fields), None),
    )


def _output_of(response: Message, shape: _Shape, types: TypePool | None) -> object:
    if not shape.has_output:
        return from_message(response, types=types)
    if not response.HasField("output"):
        return None
    return from_any(response.output, types=types)  # type: ignore[attr-defined]


def _status_of(response: Message, shape: _Shape) -> tuple[str, Layer, int, str, Mapping[str, str]]:
    if not shape.has_status:
        return "OK", "grpc", 0, "", {}
    if not response.HasField("status"):
        return MISSING, "grpc", 0, "the response carries no status", {}
    status = response.status  # type: ignore[attr-defined]
    code: int = status.code
    http_like = code >= _FIRST_HTTP_LIKE
    name = from_http_like(code) if http_like else from_in_band(code)
    return (
        name.value if name is not None else f"CODE_{code}",
        "http-like" if http_like else "in-band",
        code,
        status.message,
        dict(status.details),
    )


def _pairs(told: Told | None) -> Metadata:
    return () if told is None else tuple((key, value) for key, value in told)
