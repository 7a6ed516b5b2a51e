"""A mismatch leads to the line of the expectation that it is about."""

from __future__ import annotations

import pytest

from collector_harness.scenario.judging import unmet, unmet_by_all, with_status
from collector_harness.scenario.pointing import pointed


@pytest.mark.parametrize(
    ("expectation", "path", "steps"),
    [
        ({"status": "OK"}, "status", ("status",)),
        ({"output": {"a": {"b": 1}}}, "output.a.b", ("output", "a", "b")),
        ({"output": {"items": [1, {"n": 2}]}}, "output.items[1].n", ("output", "items", 1, "n")),
        ({"output": [[1, 2]]}, "output[0][1]", ("output", 0, 1)),
        ({"output": {"$len": 3}}, "output", ("output",)),
        ({"output": {"$exact": {"a": 1}}}, "output.a", ("output", "$exact", "a")),
        ({"rpcs": {"a.B/C": 1}}, 'rpcs["a.B/C"]', ("rpcs", "a.B/C")),
        ({"a": 1, "ab": {"c": 1}}, "ab.c", ("ab", "c")),
        ({"${a.b} x": {"c": 1}, "${a.b}": 2}, "${a.b} x.c", ("${a.b} x", "c")),
        ({"all": {"output": 1}}, "[3].output", ("all", "output")),
        ({"output": 1}, "[3].output", ("output",)),
        ({"any": {"output": {"n": 1}}}, "any[2].output.n", ("any", "output", "n")),
        ({"counts": {"output.n": {"1": 2}}}, "counts.output.n.1", ("counts", "output.n", "1")),
        ({"output": [1]}, "output[4].n", ("output",)),
        ({"output": 1}, "status", ()),
        (None, "status", ()),
        ({"output": 1}, "", ()),
    ],
)
def test_a_path_is_followed_as_far_as_the_expectation_goes(
    expectation: object, path: str, steps: tuple[str | int, ...]
) -> None:
    assert pointed(expectation, path) == steps


def test_the_paths_of_real_mismatches_are_understood() -> None:
    expected = {"rpcs": {"$exact": {"a.B/C": 1}}, "output": {"odd key": [{"n": 1}]}}
    answer = {"rpcs": {"a.B/C": 2}, "output": {"odd key": [{"n": 2}]}}
    assert [pointed(expected, each.path) for each in unmet(expected, answer)] == [
        ("rpcs", "$exact", "a.B/C"),
        ("output", "odd key", 0, "n"),
    ]


def test_the_paths_of_mismatches_of_many_answers_are_understood() -> None:
    expected = {
        "all": {"output": {"n": 1}},
        "any": {"output": {"n": 3}},
        "counts": {"status": {"OK": 2}, "output.n": {"2": 2}},
        "p50": {"$lt": "1ms"},
    }
    given = [{"status": "OK", "output": {"n": 2}, "seconds": 1.0}]
    found = [
        pointed(expected, each.path) for each in unmet_by_all(expected, given, assume=with_status)
    ]
    assert found == [
        ("all", "output", "n"),
        ("any", "output", "n"),
        ("counts", "status", "OK"),
        ("counts", "output.n", "2"),
        ("p50",),
    ]
