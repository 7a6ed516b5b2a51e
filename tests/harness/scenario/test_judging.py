"""What many answers amount to, and what goes without saying."""

from __future__ import annotations

import pytest

from collector_harness.events import Mismatch
from collector_harness.scenario.judging import (
    Values,
    percentile,
    unmet,
    unmet_by_all,
    with_nothing_wrong,
    with_status,
)


def answers(*statuses: str, seconds: float = 0.1) -> list[Values]:
    return [{"status": status, "seconds": seconds, "output": None} for status in statuses]


def paths(found: tuple[Mismatch, ...]) -> list[str]:
    return [each.path for each in found]


def test_a_call_must_be_ok_where_nothing_is_expected() -> None:
    assert with_status(None) == {"status": "OK"}
    assert with_status({"output": 1}) == {"status": "OK", "output": 1}


@pytest.mark.parametrize("key", ["status", "code", "layer", "message"])
def test_an_expectation_of_the_status_in_any_form_is_the_only_one(key: str) -> None:
    assert with_status({key: "x"}) == {key: "x"}


def test_no_route_may_be_wrong_unless_that_is_expected() -> None:
    assert with_nothing_wrong({"calls": 3}) == {"calls": 3, "wrong": []}
    assert with_nothing_wrong({"wrong": [1]}) == {"wrong": [1]}


def test_every_difference_of_an_answer_is_told() -> None:
    found = unmet({"a": 1, "b": {"c": 2}, "d": 3}, {"a": 2, "b": {"c": 3}, "d": 3})
    assert paths(found) == ["a", "b.c"]


def test_an_expectation_without_a_kind_is_one_of_each_answer() -> None:
    found = unmet_by_all({"output": 1}, answers("OK", "NOT_FOUND"), assume=with_status)
    assert paths(found) == ["[0].output", "[1].status", "[1].output"]


def test_all_is_told_for_every_answer_that_differs() -> None:
    given = answers("OK", "INTERNAL", "OK", "UNAVAILABLE")
    found = unmet_by_all({"all": {"output": None}}, given, assume=with_status)
    assert [(each.path, each.actual) for each in found] == [
        ("[1].status", '"INTERNAL"'),
        ("[3].status", '"UNAVAILABLE"'),
    ]


def test_any_is_met_by_one_answer_and_else_tells_the_nearest() -> None:
    given: list[Values] = [{"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 2, "b": 2}]
    assert unmet_by_all({"any": {"a": 2, "b": 2}}, given, assume=with_status) == ()
    found = unmet_by_all({"any": {"a": 2, "b": 3}}, given, assume=with_status)
    assert paths(found) == ["any[1].b"]


def test_values_of_a_field_are_counted_by_their_text() -> None:
    given: list[Values] = [
        {"status": "OK", "output": {"n": 1}},
        {"status": "OK", "output": {"n": True}},
        {"status": "OK", "output": None},
        {"status": "OK", "output": {"n": 1}},
    ]
    expected: Values = {"counts": {"output.n": {"1": 2, "true": 1, "null": 1}, "status": {"OK": 4}}}
    assert unmet_by_all(expected, given, assume=with_status) == ()
    found = unmet_by_all({"counts": {"status": {"OK": 3}}}, given, assume=with_status)
    assert [(each.path, each.expected, each.actual) for each in found] == [
        ("counts.status.OK", "3", "4")
    ]


def test_a_percentile_is_one_of_the_values() -> None:
    values = [0.4, 0.1, 0.3, 0.2]
    assert [percentile(values, percent) for percent in (1, 25, 50, 51, 95, 99, 100)] == [
        0.1,
        0.1,
        0.2,
        0.3,
        0.4,
        0.4,
        0.4,
    ]
    assert percentile([7.0], 50) == 7.0


def test_percentiles_compare_with_durations() -> None:
    given = [*answers("OK", "OK", "OK", seconds=0.01), *answers("OK", seconds=2.0)]
    wanted: Values = {"p50": {"$lt": "50ms"}, "p99": {"$gt": "1s"}}
    assert unmet_by_all(wanted, given, assume=with_status) == ()
    assert paths(unmet_by_all({"p95": {"$lt": "1s"}}, given, assume=with_status)) == ["p95"]


def test_failures_are_not_overlooked_because_they_were_fast() -> None:
    found = unmet_by_all({"p50": {"$lt": "1s"}}, answers("OK", "INTERNAL"), assume=with_status)
    assert paths(found) == ["[1].status"]
