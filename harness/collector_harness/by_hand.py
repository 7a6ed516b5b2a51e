"""A call of the harness as a line for grpcurl, so that it can be made again without the harness.

Pure. `collector-harness protos DIR` writes the descriptor set that such a line names.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collector_harness.client.credentials import ClientCredentials

__all__ = ["grpcurl_line"]

DESCRIPTORS: Final = "protos/collector.binpb"
"""Where a line expects the contract, after `collector-harness protos protos`."""
_TYPES = "type.googleapis.com/google.protobuf."
_ANY = ("input", "output")
_CONTRACT = "collector."
_TOKEN: Final = '-H "authorization: Bearer $TOKEN"'  # noqa: S105 - a place for one
_CONNECT = "collector.CollectiveDispatcher/Connect"


def grpcurl_line(
    rpc: str,
    request: object,
    *,
    address: str,
    descriptors: str = DESCRIPTORS,
    dialect: str = "native",
    access: ClientCredentials | None = None,
) -> str | None:
    """Returns the command line that makes a call again, quoted for a shell.

    `rpc` and `request` are as in `events.CallFinished`. The types of the contract come from the
    descriptor set, others from the server's reflection. None for a call that grpcurl cannot make:
    one whose request are raw bytes, or holds a value of a type that nobody knows, or is laid out
    in another `dialect` than the descriptor set has it.
    """
    method = rpc.removeprefix("/")
    if method == _CONNECT and dialect != "native":
        return None
    words = ["grpcurl", *_flags(access)]
    if method.startswith(_CONTRACT):
        words += ["-protoset", descriptors]
    else:
        words += ["-use-reflection"]
    if request is not None:
        if not isinstance(request, Mapping) or "@bytes" in request:
            return None
        written = _message(request)
        if written is None:
            return None
        if written:
            words += ["-d", json.dumps(written, ensure_ascii=False)]
    line = shlex.join([*words, address, method])
    if access is not None and access.token is not None:
        # The token itself is for nobody's log: whoever pastes the line has it.
        return line.replace("grpcurl ", f"grpcurl {_TOKEN} ", 1)
    return line


def _flags(access: ClientCredentials | None) -> list[str]:
    if access is None or not access.tls:
        return ["-plaintext"]
    flags = {
        "-cacert": access.ca,
        "-cert": access.cert,
        "-key": access.key,
        "-authority": access.server_name,
    }
    return [word for flag, each in flags.items() if each is not None for word in (flag, str(each))]


def _message(request: Mapping[str, object]) -> dict[str, object] | None:
    written: dict[str, object] = {}
    for key, value in request.items():
        if key in _ANY:
            packed = _packed(value)
            if packed is None:
                return None
            written[key] = packed
        elif value not in (None, "", {}, []):
            written[key] = value
    return written


def _packed(value: object) -> dict[str, object] | None:
    """Returns a shown value of an `Any` in the notation of protobuf's JSON."""
    match value:
        case bool():
            return {"@type": f"{_TYPES}BoolValue", "value": value}
        case str():
            return {"@type": f"{_TYPES}StringValue", "value": value}
        case int():
            return {"@type": f"{_TYPES}Int64Value", "value": str(value)}
        case float():
            return {"@type": f"{_TYPES}DoubleValue", "value": value}
        case list():
            return {"@type": f"{_TYPES}ListValue", "value": value}
        case {"@type": str(name)} if isinstance(value, dict):
            return dict(value) if name.startswith(_TYPES) else None
        case dict():
            return {"@type": f"{_TYPES}Struct", "value": value}
        case _:
            return None
