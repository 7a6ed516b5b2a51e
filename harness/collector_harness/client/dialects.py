"""The dialect in which a node reads ConnectRequest, on the side of whoever calls it.

Everywhere else a request is the contract's own message; only its bytes differ (WIR-002, CON-007).
What the dialects are is the reference's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, cast

from google.protobuf.message import Message

from collector_reference import Dialect
from collector_reference.wire.dispatcher_pb2 import ConnectRequest

__all__ = ["CONNECT", "DIALECTS", "DialectName", "dialect_in", "marked", "request_bytes"]

DialectName: TypeAlias = Literal["native", "accretional"]

CONNECT: Final = "/collector.CollectiveDispatcher/Connect"
"""The method whose request the dialects lay out differently."""

DIALECTS: Final[tuple[DialectName, ...]] = ("native", "accretional")


def request_bytes(path: str, message: Message, dialect: DialectName) -> bytes:
    """Returns a request as it is sent to a node that reads this dialect."""
    if path != CONNECT or dialect == "native":
        return message.SerializeToString()
    return Dialect(dialect).write(cast(ConnectRequest, message))


def marked(address: str, *, of: DialectName, by: DialectName) -> str:
    """Returns the address of a peer as a collector of the dialect `by` is told it: marked where
    the peer has another dialect (PROTOCOL.md section 4).
    """
    return address if of == by else f"{of}+{address}"


def dialect_in(environment: Iterable[tuple[str, str]]) -> DialectName | None:
    """Returns what COLLECTOR_DIALECT says among these variables; None where it says nothing that
    is known.
    """
    written = dict(environment).get("COLLECTOR_DIALECT")
    return next((each for each in DIALECTS if each == written), None)
