"""What was promised of concurrent calls is judged from what was asked and what ran."""

from __future__ import annotations

import pytest

from collector_harness.scenario.histories import Operation, Promise, broken_promises

OK, FAILED = True, False


def _asked(*calls: tuple[str, bool]) -> list[Operation]:
    return [Operation(key=key, acknowledged=acknowledged) for key, acknowledged in calls]


@pytest.mark.parametrize(
    ("promise", "calls", "runs", "told"),
    [
        ("exactly_once", [("a", OK)], {"a": {"x": 1}}, None),
        ("exactly_once", [("a", OK)], {"a": {"x": 1, "y": 1}}, ("1 run", "2 runs: x 1, y 1")),
        ("exactly_once", [("a", OK)], {}, ("1 run", "0 runs")),
        ("exactly_once", [("a", FAILED)], {"a": {"x": 1}}, None),
        ("exactly_once", [("a", FAILED)], {}, None),
        ("exactly_once", [("a", FAILED)], {"a": {"x": 2}}, ("at most 1 run", "2 runs: x 2")),
        ("exactly_once", [("a", OK), ("a", FAILED)], {"a": {"x": 3}}, ("1 to 2", "3 runs: x 3")),
        ("at_most_once", [("a", OK)], {}, None),
        ("at_most_once", [("a", OK)], {"a": {"x": 2}}, ("at most 1 run", "2 runs: x 2")),
        ("at_least_once", [("a", OK)], {"a": {"x": 5}}, None),
        ("at_least_once", [("a", OK)], {"a": {"x": 0}}, ("at least 1 run", "0 runs")),
        ("at_most_once", [], {"ghost": {"x": 1}}, ("0 run", "1 runs: x 1")),
    ],
)
def test_runs_are_held_against_the_promise(
    promise: Promise,
    calls: list[tuple[str, bool]],
    runs: dict[str, dict[str, int]],
    told: tuple[str, str] | None,
) -> None:
    found = broken_promises(promise, _asked(*calls), runs)
    assert [(each.expected.rstrip("s"), each.actual) for each in found] == (
        [] if told is None else [told]
    )


def test_many_broken_keys_are_counted() -> None:
    found = broken_promises("exactly_once", _asked(*((f"k{n}", OK) for n in range(50))), {})
    assert len(found) == 21
    assert found[0].path == 'delivery["k0"]'
    assert found[-1].actual == "and 30 more keys"
