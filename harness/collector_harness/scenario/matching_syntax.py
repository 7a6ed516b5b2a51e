"""What is wrong with an expectation or a payload as written, before anything runs.

Pure: values in, findings with their place out. What matchers do is in `matching`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from collector_harness.documents import did_you_mean
from collector_harness.plugins import installed_matchers
from collector_harness.scenario.matching import MATCHERS, OWN_MATCHERS
from collector_harness.scenario.values import MADE, MOST_BYTES, is_made

__all__ = [
    "STATUSES",
    "Finding",
    "Location",
    "expectation_faults",
    "http_status_faults",
    "matcher_clashes",
    "payload_faults",
    "status_faults",
]

Location = tuple[str | int, ...]


class Finding(NamedTuple):
    """Something wrong in a document."""

    place: Location
    message: str
    hint: str | None = None
    """What to do."""
    key: bool = False
    """Whether the key at `place` is meant, and not its value."""


TYPES: Final = ("null", "boolean", "integer", "number", "string", "bytes", "list", "mapping")
"""The names that `$type` knows."""

STATUSES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""The canonical names of statuses."""

ODD_STATUSES: Final = ("MISSING", "UNDECODABLE")
"""What an answer has in their place that gRPC calls OK, and that carries no status, or that is not
the message it should be. A number without a name is `CODE_299`."""

_NUMBER = re.compile(r"CODE_-?[0-9]+")

_HOLDS_LIST = frozenset({"$in", "$unordered", "$all_of", "$any_of"})
_HOLDS_EXPECTATION = frozenset({"$not", "$len", "$contains"})
_ORDERS = frozenset({"$lt", "$le", "$gt", "$ge"})


def is_operator(key: str) -> bool:
    """Tells whether a key is a matcher: it begins with `$`, but not `$$` or `${`."""
    return key[:1] == "$" and key[1:2] not in ("$", "{")


def expectation_faults(expected: object, place: Location) -> Iterator[Finding]:
    """Yields what is wrong with the matchers in an expectation."""
    if isinstance(expected, list):
        for index, item in enumerate(expected):
            if isinstance(item, list | dict):
                yield from expectation_faults(item, (*place, index))
    elif isinstance(expected, dict):
        if is_made(expected):
            yield from payload_faults(expected, place)
            return
        operators = [key for key in expected if is_operator(key)]
        if not operators:
            for key, item in expected.items():
                if isinstance(item, list | dict):
                    yield from expectation_faults(item, (*place, key))
            return
        for key, item in expected.items():
            yield from _operator_faults(key, item, operators, place)


def _operator_faults(
    key: str, argument: object, operators: list[str], place: Location
) -> Iterator[Finding]:
    here = (*place, key)
    if not is_operator(key):
        yield Finding(
            here,
            f"the key '{key}' stands beside the matcher '{operators[0]}'",
            "a mapping holds either matchers or keys; join the two with $all_of",
            key=True,
        )
    elif key not in MATCHERS and (broken := _broken(key)):
        yield Finding(here, broken, "repair or uninstall the package", key=True)
    elif key not in MATCHERS:
        hint = did_you_mean(key, MATCHERS, what="the matchers are")
        told = f"{hint}; a literal key is written '${key}'"
        yield Finding(here, f"unknown matcher '{key}'", told, key=True)
    else:
        fault = _argument_fault(key, argument)
        if fault is not None:
            yield Finding(here, *fault)
        elif key in _HOLDS_LIST or key in _HOLDS_EXPECTATION:
            yield from expectation_faults(argument, here)


def matcher_clashes() -> list[str]:
    """Returns what is wrong with the names of matchers that packages bring."""
    told: list[str] = []
    packages: dict[str, str] = {}
    for each in installed_matchers():
        name = f"${each.name}"
        own = name in OWN_MATCHERS or name in MADE
        if own or name in packages:
            other = "the language itself" if own else packages[name]
            told.append(f"the package {each.package} brings a matcher '{name}', as {other} does")
        packages[name] = each.package
    return told


def _broken(key: str) -> str | None:
    for each in installed_matchers():
        if f"${each.name}" == key and each.kind is None:
            return f"the matcher '{key}' of the package {each.package} cannot be used: {each.fault}"
    return None


def _argument_fault(key: str, argument: object) -> tuple[str, str | None] | None:
    if isinstance(argument, str) and "${" in argument:
        return None
    for each in installed_matchers():
        if f"${each.name}" == key and each.kind is not None and "${" not in repr(argument):
            fault = each.kind.fault(argument)
            return None if fault is None else (f"{key} {fault}", None)
    if key in _HOLDS_LIST and not isinstance(argument, list):
        return f"{key} needs a list", f"write {key}: [...]"
    if key == "$regex":
        return _regex_fault(argument)
    if key == "$type" and argument not in TYPES:
        hint = did_you_mean(str(argument), TYPES, what="the types are")
        return f"'{argument}' is not a type", hint
    if key in _ORDERS and (
        isinstance(argument, bool) or not isinstance(argument, int | float | str)
    ):
        return f"{key} needs a number, a text or a duration", "write for example 50ms"
    if key == "$any" and argument is not True:
        return "$any stands for any value at all", "write {$any: true}, or use $any_of"
    if key in ("$absent", "$unique") and not isinstance(argument, bool):
        return f"{key} is true or false", f"write {{{key}: true}}"
    if key == "$base64":
        return _base64_fault(argument)
    return None


def _regex_fault(argument: object) -> tuple[str, str | None] | None:
    if not isinstance(argument, str):
        return "$regex needs a text", "put the expression in single quotes"
    try:
        re.compile(argument)
    except re.error as error:
        return f"this is not a regular expression: {error}", None
    return None


def _base64_fault(argument: object) -> tuple[str, str | None] | None:
    try:
        base64.b64decode(str(argument), validate=True)
    except binascii.Error:
        return "$base64 needs base64 text", "for example {$base64: 3q2+7w==}"
    return None


def _count_faults(counts: Mapping[str, object], place: Location) -> Iterator[Finding]:
    for name, count in counts.items():
        number = isinstance(count, int) and not isinstance(count, bool) and count >= 0
        if not number and "${" not in str(count):
            told = "for example {$bytes: 1000, less: 10}"
            yield Finding((*place, name), f"{name} needs a number of bytes", told)
        elif isinstance(count, int) and count > MOST_BYTES:
            yield Finding((*place, name), f"{count} bytes are more than {MOST_BYTES}", None)


def payload_faults(value: object, place: Location) -> Iterator[Finding]:
    """Yields what is wrong with the escapes in a payload."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, list | dict):
                yield from payload_faults(item, (*place, index))
    elif isinstance(value, dict) and is_made(value):
        yield from _made_faults(value, place)
    elif isinstance(value, dict):
        for key, item in value.items():
            here = (*place, key)
            if is_operator(key):
                hint = (
                    f"a literal key is written '${key}'; only {{$base64: ...}}, {{$bytes: ...}} "
                    "and {$text: ...} are special here"
                )
                yield Finding(here, f"'{key}' means nothing in a payload", hint, key=True)
            elif isinstance(item, list | dict):
                yield from payload_faults(item, here)


def _made_faults(value: Mapping[str, object], place: Location) -> Iterator[Finding]:
    if "$bytes" in value:
        yield from _count_faults(value, place)
        return
    ((key, item),) = value.items()
    if key == "$text" and isinstance(item, list | dict):
        yield Finding((*place, key), "$text needs a single value", "write {$text: ...}")
    elif key == "$base64" and "${" not in str(item) and (fault := _base64_fault(item)):
        yield Finding((*place, key), *fault)


def status_faults(expected: object, place: Location) -> Iterator[Finding]:
    """Yields statuses that no answer of gRPC can have."""
    for here, value in _values(expected, place):
        if not isinstance(value, str):
            yield Finding(
                here, "a status is a name", "write for example NOT_FOUND, or match `code`"
            )
        elif value not in (*STATUSES, *ODD_STATUSES) and not _NUMBER.fullmatch(value):
            hint = did_you_mean(value, STATUSES, what="the statuses are")
            yield Finding(here, f"there is no status '{value}'", hint)


def http_status_faults(expected: object, place: Location) -> Iterator[Finding]:
    """Yields statuses that no answer by HTTP can have."""
    for here, value in _values(expected, place):
        if isinstance(value, str) and value.isdecimal():
            yield Finding(here, "an HTTP status is a number", f"write {value}, without quotes")
        elif isinstance(value, str | bool):
            told = f"an HTTP status is a number, and '{value}' is gRPC's"
            known = value in STATUSES
            remedy = "write for example 200, or {$ge: 200, $lt: 300} for any that is well"
            yield Finding(here, told if known else f"'{value}' is no HTTP status", remedy)


def _values(expected: object, place: Location) -> Iterator[tuple[Location, object]]:
    """Yields the plain values that an expectation names as they are, with their places."""
    if isinstance(expected, list):
        for index, item in enumerate(expected):
            yield from _values(item, (*place, index))
    elif isinstance(expected, dict):
        for key in ("$not", "$exact", "$in", "$any_of", "$all_of"):
            if key in expected:
                yield from _values(expected[key], (*place, key))
    elif not (isinstance(expected, str) and "${" in expected):
        yield place, expected
