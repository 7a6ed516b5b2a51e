"""The optional libraries of tokens, imported when they are first needed."""

from __future__ import annotations

import importlib
from typing import Any

from collector_reference.errors import MissingExtra

__all__ = ["jwt_library"]


def jwt_library(variable: str) -> Any:
    """Returns PyJWT; raises `MissingExtra` where it is not installed."""
    try:
        # PyJWT itself is there without what RS256 and ES256 need.
        importlib.import_module("cryptography")
        return importlib.import_module("jwt")
    except ImportError as error:
        raise MissingExtra("jwt", variable) from error
