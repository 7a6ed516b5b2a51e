"""Comparing answers with expectations: pure, and complete, as every difference is told.

An expectation is a value with matchers in it. Mappings match when they are a part of
the answer, lists when they have the same length and order, everything else when it is
equal. What an answer holds is data and never read as a matcher; how much of it is
shown is bounded.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, Final

from collector_harness.errors import InvalidInput
from collector_harness.events import Mismatch
from collector_harness.plugins import MatcherKind, installed_matchers
from collector_harness.scenario.kinds import ABSENT, type_of
from collector_harness.scenario.model.terms import seconds_of
from collector_harness.scenario.nearest import nearest
from collector_harness.scenario.pairing import paired
from collector_harness.scenario.rendering import render
from collector_harness.scenario.searching import is_found
from collector_harness.scenario.values import Given, decode_base64

__all__ = ["ABSENT", "MATCHERS", "OWN_MATCHERS", "match", "matches", "type_of"]

MAX_MISMATCHES = 50
"""Differences that are told; the rest is counted."""
_MAX_UNORDERED = 1_000

Found = Iterator[Mismatch]
Matcher = Callable[[object, object, str], Found]


def match(expectation: object, actual: object, path: str = "") -> tuple[Mismatch, ...]:
    """Returns every difference between an answer and what was expected; none means it matches.

    `path` is where `actual` stands in the whole answer. The expectation is as
    `values.substitute_expectation` returns it.
    """
    found: list[Mismatch] = []
    more = 0
    for mismatch in _match(expectation, actual, path):
        if len(found) < MAX_MISMATCHES:
            found.append(mismatch)
        else:
            more += 1
    if more:
        found.append(Mismatch(path=path, expected="no difference", actual=f"and {more} more"))
    return tuple(found)


def matches(expectation: object, actual: object) -> bool:
    """Tells whether an answer is as expected."""
    return next(_match(expectation, actual, ""), None) is None


def _match(expected: object, actual: object, path: str) -> Found:
    if isinstance(expected, Given):
        yield from _equal(expected.value, actual, path)
    elif isinstance(expected, dict):
        if not MATCHERS.keys().isdisjoint(expected):
            for name, argument in expected.items():
                if name not in MATCHERS:
                    raise InvalidInput(f"'{name}' stands beside a matcher, but is none")
                yield from MATCHERS[name](argument, actual, path)
        else:
            yield from _subset(expected, actual, path)
    elif isinstance(expected, list):
        yield from _list(expected, actual, path, _match)
    else:
        yield from _scalar(expected, actual, path)


def _subset(expected: Mapping[str, object], actual: object, path: str) -> Found:
    if not isinstance(actual, Mapping):
        yield _mismatch(path, render(expected), actual)
        return
    for key, value in expected.items():
        name = key[1:] if key.startswith("$$") else key
        yield from _match(value, actual.get(name, ABSENT), _join(path, name))


def _list(
    expected: list[object],
    actual: object,
    path: str,
    compare: Callable[[object, object, str], Found],
) -> Found:
    if not isinstance(actual, list | tuple):
        yield _mismatch(path, render(expected), actual)
        return
    if len(expected) != len(actual):
        yield Mismatch(
            path=path,
            expected=f"{_items(expected)}: {render(expected)}",
            actual=f"{_items(actual)}: {render(list(actual))}",
        )
    for index, (wanted, there) in enumerate(zip(expected, actual, strict=False)):
        yield from compare(wanted, there, f"{path}[{index}]")


def _scalar(expected: object, actual: object, path: str) -> Found:
    if not _same(expected, actual):
        yield _mismatch(path, render(expected), actual)


def _same(expected: object, actual: object) -> bool:
    """Tells whether two scalars are equal: 1 is 1.0, but neither is true or "1"."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return expected == actual or (
            isinstance(expected, float)
            and isinstance(actual, float)
            and math.isnan(expected)
            and math.isnan(actual)
        )
    return type(expected) is type(actual) and expected == actual


def _equal(expected: object, actual: object, path: str) -> Found:
    """Compares as they are: whole mappings, and nothing read as a matcher."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            wanted = expected.get(key, ABSENT)
            yield from _equal(wanted, actual.get(key, ABSENT), _join(path, str(key)))
    elif isinstance(expected, list | tuple):
        yield from _list(list(expected), actual, path, _equal)
    else:
        yield from _scalar(expected, actual, path)


def _unescaped(expected: object) -> object:
    """Returns a literal as it is meant: `$$` keys and `$base64` are still to be read."""
    if isinstance(expected, Given):
        return expected.value
    if isinstance(expected, list):
        return [_unescaped(item) for item in expected]
    if isinstance(expected, dict):
        if len(expected) == 1 and "$base64" in expected:
            return decode_base64(expected["$base64"])
        return {
            key[1:] if key.startswith("$$") else key: _unescaped(item)
            for key, item in expected.items()
        }
    return expected


def _exact(argument: object, actual: object, path: str) -> Found:
    yield from _equal(_unescaped(argument), actual, path)


def _base64(argument: object, actual: object, path: str) -> Found:
    yield from _scalar(decode_base64(argument), actual, path)


def _any(_argument: object, actual: object, path: str) -> Found:
    if actual is ABSENT:
        yield _mismatch(path, "anything", actual)


def _absent(argument: object, actual: object, path: str) -> Found:
    if (actual is ABSENT) is not (argument is not False):
        yield _mismatch(path, "anything" if argument is False else "nothing", actual)


def _regex(argument: object, actual: object, path: str) -> Found:
    try:
        found = is_found(str(argument), actual if isinstance(actual, str) else "")
    except re.error as error:
        raise InvalidInput(f"$regex '{argument}' is not a regular expression: {error}") from None
    if not isinstance(actual, str) or not found:
        yield _mismatch(path, f"text that matches /{argument}/", actual)


def _not(argument: object, actual: object, path: str) -> Found:
    if matches(argument, actual):
        choices = argument.get("$in") if isinstance(argument, dict) and len(argument) == 1 else None
        told = f"not {render(argument)}" if choices is None else f"none of {render(choices)}"
        yield _mismatch(path, told, actual)


def _ordering(symbol: str, holds: Callable[[Any, Any], bool]) -> Matcher:
    def compare(argument: object, actual: object, path: str) -> Found:
        pair = _comparable(argument, actual)
        if pair is None or not holds(pair[1], pair[0]):
            yield _mismatch(path, f"{symbol} {_plain(argument)}", actual)

    return compare


def _comparable(argument: object, actual: object) -> tuple[object, object] | None:
    """Returns both where they can be ordered; a duration compares with a number of seconds."""
    if isinstance(argument, str) and isinstance(actual, str):
        return argument, actual
    limit = seconds_of(argument) if isinstance(argument, str) else argument
    if _is_number(limit) and _is_number(actual):
        return limit, actual
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in(argument: object, actual: object, path: str) -> Found:
    choices = _choices(argument)
    if not isinstance(choices, list) or not any(matches(choice, actual) for choice in choices):
        yield _mismatch(path, f"one of {render(choices)}", actual)


def _choices(argument: object) -> object:
    """Returns the expectations in a list; one that came from a capture holds only data."""
    if isinstance(argument, Given) and isinstance(argument.value, list):
        return [Given(value=item) for item in argument.value]
    return argument


def _len(argument: object, actual: object, path: str) -> Found:
    if not isinstance(actual, str | bytes | list | tuple | Mapping):
        yield _mismatch(path, f"something of length {render(argument)}", actual)
        return
    for mismatch in _match(argument, len(actual), ""):
        expected = f"length {mismatch.expected}"
        yield _mismatch(path, expected, actual, f"length {len(actual)}: {render(actual)}")


def _contains(argument: object, actual: object, path: str) -> Found:
    wanted = argument.value if isinstance(argument, Given) else _unescaped_bytes(argument)
    if isinstance(actual, str):
        found = isinstance(wanted, str) and wanted in actual
    elif isinstance(actual, bytes):
        found = isinstance(wanted, bytes) and wanted in actual
    elif isinstance(actual, list | tuple):
        found = any(matches(argument, item) for item in actual)
    elif isinstance(actual, Mapping):
        found = isinstance(wanted, str) and wanted in actual
    else:
        found = False
    if not found:
        yield _mismatch(path, f"something that contains {render(argument)}", actual)
        if isinstance(actual, list | tuple):
            yield from _nearest(argument, enumerate(actual), path)


def _nearest(expected: object, items: Iterable[tuple[int, object]], path: str) -> Found:
    return nearest(expected, items, path, differences=_match, matchers=MATCHERS)


def _unescaped_bytes(argument: object) -> object:
    if isinstance(argument, dict) and len(argument) == 1 and "$base64" in argument:
        return decode_base64(argument["$base64"])
    return argument


def _unique(argument: object, actual: object, path: str) -> Found:
    if not isinstance(actual, list | tuple):
        yield _mismatch(path, "a list of values that differ", actual)
        return
    first: dict[str, int] = {}
    repeated: list[tuple[int, int]] = []
    for index, item in enumerate(actual):
        # Equal as numbers are elsewhere: 1 is 1.0.
        shown = repr(float(item)) if _is_number(item) else f"{type_of(item)} {item!r}"
        before = first.setdefault(shown, index)
        if before != index:
            repeated.append((index, before))
    if argument is False:
        if not repeated:
            yield _mismatch(path, "values of which some are equal", actual)
        return
    for index, before in repeated:
        expected = f"a value that no other item has, but [{before}] has it"
        yield _mismatch(f"{path}[{index}]", expected, actual[index])


def _type(argument: object, actual: object, path: str) -> Found:
    kind = type_of(actual)
    if argument != kind and not (argument == "number" and kind == "integer"):
        yield _mismatch(path, f"a value of type {argument}", actual)


def _all_of(argument: object, actual: object, path: str) -> Found:
    choices = _choices(argument)
    for expected in choices if isinstance(choices, list) else [argument]:
        yield from _match(expected, actual, path)


def _any_of(argument: object, actual: object, path: str) -> Found:
    choices = _choices(argument)
    if not isinstance(choices, list) or not any(matches(choice, actual) for choice in choices):
        yield _mismatch(path, f"any of {render(choices)}", actual)


def _unordered(argument: object, actual: object, path: str) -> Found:
    wanted = _choices(argument)
    if not isinstance(wanted, list) or not isinstance(actual, list | tuple):
        yield _mismatch(path, f"in any order {render(wanted)}", actual)
        return
    if len(actual) > _MAX_UNORDERED:
        told = f"{len(actual)} items, more than the {_MAX_UNORDERED} that are compared"
        yield _mismatch(path, f"in any order {render(wanted)}", actual, told)
        return
    partner = paired(
        [[place for place, item in enumerate(actual) if matches(each, item)] for each in wanted]
    )
    left = [(place, item) for place, item in enumerate(actual) if place not in partner]
    for index, item in enumerate(wanted):
        if index not in partner.values():
            yield Mismatch(
                path=path, expected=f"an item {render(item)}", actual="no item is left for it"
            )
            yield from _nearest(item, left, path)
    for index, item in enumerate(actual):
        if index not in partner:
            yield Mismatch(path=f"{path}[{index}]", expected="no further item", actual=render(item))


def _brought(kind: MatcherKind) -> Matcher:
    """Returns the matcher that a package brings, as one of ours."""

    def matcher(argument: object, actual: object, path: str) -> Found:
        wanted = argument.value if isinstance(argument, Given) else argument
        if actual is ABSENT or not kind.matches(wanted, actual):
            yield _mismatch(path, kind.expected(wanted), actual)

    return matcher


OWN_MATCHERS: Final[Mapping[str, Matcher]] = {
    "$exact": _exact,
    "$regex": _regex,
    "$any": _any,
    "$absent": _absent,
    "$not": _not,
    "$lt": _ordering("<", operator.lt),
    "$le": _ordering("<=", operator.le),
    "$gt": _ordering(">", operator.gt),
    "$ge": _ordering(">=", operator.ge),
    "$in": _in,
    "$len": _len,
    "$contains": _contains,
    "$type": _type,
    "$unordered": _unordered,
    "$unique": _unique,
    "$all_of": _all_of,
    "$any_of": _any_of,
    "$base64": _base64,
}
"""The matchers of the language itself, by name."""

MATCHERS: Final[Mapping[str, Matcher]] = {
    **{f"${each.name}": _brought(each.kind) for each in installed_matchers() if each.kind},
    **OWN_MATCHERS,
}
"""Every matcher, also those that packages bring."""


def _mismatch(path: str, expected: str, actual: object, told: str | None = None) -> Mismatch:
    shown = "nothing" if actual is ABSENT else render(actual)
    return Mismatch(path=path, expected=expected, actual=shown if told is None else told)


def _plain(argument: object) -> str:
    return argument if isinstance(argument, str) else render(argument)


def _items(values: Sized) -> str:
    return f"{len(values)} item{'' if len(values) == 1 else 's'}"


def _join(path: str, key: str) -> str:
    if _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{render(key)}]"


_PLAIN_KEY = re.compile(r"[A-Za-z_@][\w@-]*")
