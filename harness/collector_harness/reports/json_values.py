"""Any value as JSON can hold it. Files and streams are no concern of this module."""

from __future__ import annotations

import base64
import enum
import math
from collections.abc import Mapping

__all__ = ["json_values"]


def json_values(value: object) -> object:
    """Returns a value made of what JSON has: text for keys and for what JSON lacks.

    Bytes become base64, and numbers that are not finite become their names.
    """
    match value:
        case None | bool():
            return value
        case enum.Enum():
            return value.value
        case str() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes() | bytearray():
            return base64.b64encode(value).decode("ascii")
        case Mapping():
            return {str(key): json_values(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [json_values(each) for each in value]
        case _:
            return str(value)
