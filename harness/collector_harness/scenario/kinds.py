"""What kind of value something is, as `$type` names it; also the value that is not there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["ABSENT", "type_of"]


class _Absent:
    """The answer has nothing in this place."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT: Final = _Absent()
"""Stands for a value that is not there, which is something else than null."""


def type_of(value: object) -> str:
    """Returns the name that `$type` has for the type of a value."""
    if value is ABSENT:
        return "nothing"
    if value is None:
        return "null"
    for kinds, name in _TYPES:
        if isinstance(value, kinds):
            return name
    return type(value).__name__


_TYPES: Final[tuple[tuple[Any, str], ...]] = (
    (bool, "boolean"),  # before integer, of which Python makes it a kind
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (bytes, "bytes"),
    (Mapping, "mapping"),
    ((list, tuple), "list"),
)
