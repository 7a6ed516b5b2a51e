"""Money between JSON and the wire: decimal numbers outside, integers of minor units inside.

JSON is read and written here, because the standard library makes floats of its numbers.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import simplejson
from fastapi import Response

__all__ = ["JsonResponse", "from_minor", "read_json", "to_minor"]


def to_minor(amount: Decimal) -> int:
    """Returns an amount of at most two decimals in minor units."""
    return int(amount.scaleb(2))


def from_minor(minor: int) -> Decimal:
    """Returns an amount with two decimals."""
    return Decimal(minor).scaleb(-2)


def read_json(data: bytes) -> Any:
    """Reads JSON with exact numbers. Raises `ValueError` with a sentence."""
    try:
        return simplejson.loads(data.decode(), use_decimal=True, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise ValueError("the body is not UTF-8") from error
    except RecursionError as error:
        raise ValueError("the body is nested too deeply") from error
    except simplejson.JSONDecodeError as error:
        raise ValueError(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from error


class JsonResponse(Response):
    """A JSON answer, in which decimals are numbers."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Returns the content as JSON."""
        return simplejson.dumps(content, use_decimal=True, ensure_ascii=False).encode()


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")
