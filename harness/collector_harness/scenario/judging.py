"""Whether answers are what a step expects: one answer, or many at once.

Pure: answers and expectations in, mismatches out. What a single value must be is in
`matching`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from collector_harness.errors import InvalidInput
from collector_harness.events import Mismatch
from collector_harness.scenario.matching import match
from collector_harness.scenario.model import AGGREGATE
from collector_harness.scenario.values import as_text, look_up, parse_path

__all__ = [
    "percentile",
    "unmet",
    "unmet_by_all",
    "with_connection",
    "with_good_end",
    "with_good_start",
    "with_no_error",
    "with_nothing_wrong",
    "with_status",
]

_PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}
_TELLS_STATUS = frozenset({"status", "code", "layer", "message"})

Values = Mapping[str, object]


def with_status(expected: Values | None) -> Values:
    """Returns an expectation of a call with what goes without saying: the status is OK, unless
    the expectation names `status`, `code`, `layer` or `message`.
    """
    if expected is None:
        return {"status": "OK"}
    if expected.keys() & _TELLS_STATUS:
        return expected
    return {"status": "OK", **expected}


def with_nothing_wrong(expected: Values | None) -> Values:
    """Returns an expectation of `routes` with what goes without saying: nothing is `wrong`."""
    return {"wrong": [], **(expected or {})}


def with_connection(expected: Values | None) -> Values:
    """Returns an expectation of `tcp` with what goes without saying: it was `connected`."""
    return {"connected": True, **(expected or {})}


def with_no_error(expected: Values | None, *, http: bool) -> Values:
    """Returns an expectation of `http` or `sql` with what goes without saying: there is no `error`,
    and a request is answered by a status of 200 to 299, unless the expectation names one of them.
    """
    expected = expected or {}
    if expected.keys() & {"error", "status"}:
        return expected
    assumed: dict[str, object] = {"error": None}
    if http:
        assumed["status"] = {"$ge": 200, "$lt": 300}
    return {**assumed, **expected}


def with_good_end(expected: Values | None) -> Values:
    """Returns an expectation of `stop` with what goes without saying: it ended well."""
    return {"exit": {"$in": [0, None]}, **(expected or {})}


def with_good_start(expected: Values | None) -> Values:
    """Returns an expectation of `start` with what goes without saying: the node is ready."""
    return {"ready": True, **(expected or {})}


def unmet(expected: Values, answer: Values) -> tuple[Mismatch, ...]:
    """Returns every difference between an expectation and one answer."""
    return match(dict(expected), answer)


def unmet_by_all(
    expected: Values, answers: Sequence[Values], *, assume: Callable[[Values], Values]
) -> tuple[Mismatch, ...]:
    """Returns every difference between the expectation of a parallel step and its answers.

    An expectation without `all`, `any`, `counts` or a percentile is one of each answer, and
    `assume` adds to it what goes without saying; percentiles and a delivery leave that in force.
    """
    if not expected.keys() & AGGREGATE.keys():
        expected = {"all": expected}
    elif not expected.keys() - {*_PERCENTILES, "delivery"}:
        expected = {"all": {}, **expected}
    found: list[Mismatch] = []
    for key, value in expected.items():
        if key == "all":
            found += _all(assume(_mapping(value)), answers)
        elif key == "any":
            found += _any(_mapping(value), answers)
        elif key == "counts":
            for field, counts in _mapping(value).items():
                found += _below(f"counts.{field}", match(counts, _counted(field, answers)))
        elif key in _PERCENTILES:
            seconds = [_seconds(answer) for answer in answers]
            found += _below(key, match(value, percentile(seconds, _PERCENTILES[key])))
        # A delivery is judged by what nodes counted, and not by the answers alone.
    return tuple(found)


def percentile(values: Sequence[float], percent: int) -> float:
    """Returns the smallest of the values that `percent` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _all(expected: Values, answers: Sequence[Values]) -> list[Mismatch]:
    found: list[Mismatch] = []
    for index, answer in enumerate(answers):
        found += _below(f"[{index}]", unmet(expected, answer))
    return found


def _any(expected: Values, answers: Sequence[Values]) -> Sequence[Mismatch]:
    nearest: Sequence[Mismatch] = ()
    for index, answer in enumerate(answers):
        found = unmet(expected, answer)
        if not found:
            return ()
        if not nearest or len(found) < len(nearest):
            nearest = _below(f"any[{index}]", found)
    return nearest


def _counted(field: str, answers: Sequence[Values]) -> dict[str, object]:
    path = parse_path(field)
    counts: Counter[str] = Counter()
    for answer in answers:
        try:
            value = look_up(answer.get(path.root), path)
        except InvalidInput:
            value = None
        counts[_counted_as(value)] += 1
    return dict(counts)


def _counted_as(value: object) -> str:
    if value is None:
        return "null"
    try:
        return as_text(value)
    except InvalidInput:  # a list or a mapping
        return repr(value)


def _below(path: str, found: Sequence[Mismatch]) -> list[Mismatch]:
    return [replace(each, path=_joined(path, each.path)) for each in found]


def _joined(path: str, inner: str) -> str:
    return path + inner if not inner or inner.startswith("[") else f"{path}.{inner}"


def _seconds(answer: Values) -> float:
    seconds = answer.get("seconds", 0.0)
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def _mapping(value: object) -> Values:
    if not isinstance(value, dict):
        raise InvalidInput("all, any and counts take a mapping of the answer's fields")
    return value
