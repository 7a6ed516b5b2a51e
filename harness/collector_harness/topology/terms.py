"""The words that the models of nodes and services share: names, handlers, environments."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainValidator, Strict, WithJsonSchema

from collector_harness.documents import Short

__all__ = [
    "FILE",
    "IMPLEMENTATION",
    "Environment",
    "Implementation",
    "Implementations",
    "Name",
    "Names",
]

FILE = r"\.ya?ml$"
"""What the path of a file with a topology ends with, as a pattern for schemas."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
IMPLEMENTATION = re.compile(r"(?:(?P<file>[^:]+\.py)|[A-Za-z_][\w.]*):[A-Za-z_][\w.]*")


def _implementation(value: object) -> str:
    if isinstance(value, str) and IMPLEMENTATION.fullmatch(value):
        return value
    raise ValueError(
        f"'{value}' is not a handler\nwrite module:attribute, such as app.orders:Orders, or "
        "file.py:attribute with a path from the folder of this file"
    )


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _name(value: object) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError(
        f"'{value}' cannot be the name of a node\nuse letters, digits, _ and -, a letter first"
    )


Name = Annotated[
    str,
    PlainValidator(_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"}),
]
Names = Annotated[tuple[str, ...], Strict(False)]
Implementation = Annotated[str, PlainValidator(_implementation), WithJsonSchema({"type": "string"})]
Implementations = Annotated[
    tuple[Implementation, ...],
    Strict(False),
    BeforeValidator(_listed),
    Short({"type": "string"}),
]


def _variable(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("the value of an environment variable is text\nput it in quotes")  # noqa: TRY004 - pydantic collects it
    return str(value)


Environment = dict[
    str, Annotated[str, PlainValidator(_variable), WithJsonSchema({"type": ["string", "number"]})]
]
"""Environment variables; numbers become text."""
