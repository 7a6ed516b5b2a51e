"""Values that are made when somebody first reads them.

An answer can be shown in more ways than most people look at: decoded, as JSON values, with its
metadata. Making all of these for every call would take longer than the call. Who reads such a
value sees nothing of this: it is the value itself, and the same one each time.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["late_field", "later"]

T = TypeVar("T")


def later(make: Callable[[], T]) -> T:
    """Returns what a field made by `late_field` takes in place of a value.

    `make` is called when the value is first read. What it needs must not change until then, and
    it must not raise.
    """
    return _Later(make)  # type: ignore[return-value]  # it becomes the value


def late_field(default: Any = dataclasses.MISSING) -> Any:
    """Returns a field of a dataclass without slots that reads as a value, also where it was given
    one that is made `later`; without a default it has to be given.
    """
    return _LateField(default)


class _Later(functools.partial[Any]):
    """Stands for a value until it is read; calling it makes the value."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Callable[[Any], Any], tuple[Any]]:
        # A copy, and what is sent to another process, holds the value.
        return _itself, (self(),)


class _LateField:
    """A descriptor: dataclasses let it set and get the value of its field."""

    def __init__(self, default: Any) -> None:
        self._default = default
        self._name = ""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None:
            # What dataclasses take for the default of the field.
            if self._default is dataclasses.MISSING:
                raise AttributeError(self._name)
            return self._default
        values = instance.__dict__
        value = values[self._name]
        if type(value) is _Later:
            value = values[self._name] = value()
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self._name] = value


def _itself(value: T) -> T:
    return value
