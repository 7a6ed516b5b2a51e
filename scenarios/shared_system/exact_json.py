"""JSON as it comes in and goes out: with exact numbers, and a sentence for what is no JSON.

The standard library makes floats of its numbers, and takes `NaN`.
"""

from __future__ import annotations

from typing import Any

import simplejson
from fastapi import Response

__all__ = ["JsonResponse", "read_json"]


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
