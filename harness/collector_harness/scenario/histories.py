"""Whether concurrent calls were delivered as promised: a pure judgement of what was asked and ran.

Each call has a key; calls of the same key cannot be told apart, and are judged together. How the
runs are counted is in `steps.delivery`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from collector_harness.events import Mismatch
from collector_harness.scenario.rendering import render

__all__ = ["PROMISES", "Operation", "Promise", "broken_promises"]

Promise = Literal["exactly_once", "at_most_once", "at_least_once"]

PROMISES: tuple[Promise, ...] = ("exactly_once", "at_most_once", "at_least_once")
"""What can be promised of a call: how often it runs."""

_MOST_TOLD = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One call, as its caller saw it."""

    key: str
    """What its runs are counted by."""
    acknowledged: bool
    """Whether it was answered with OK. A call that failed may have run all the same."""


def broken_promises(
    promise: Promise, operations: Sequence[Operation], runs: Mapping[str, Mapping[str, int]]
) -> tuple[Mismatch, ...]:
    """Returns where calls ran too often, or not at all.

    `runs` are the executions by key and node. Of the calls of a key, `at_most_once` allows as many
    runs as there are calls; `at_least_once` demands as many as were acknowledged; `exactly_once`
    is both. Keys that nobody used may have no runs.
    """
    asked = Counter(each.key for each in operations)
    acknowledged = Counter(each.key for each in operations if each.acknowledged)
    found: list[Mismatch] = []
    for key in [*asked, *(key for key in runs if key not in asked)]:
        by_node = {node: count for node, count in runs.get(key, {}).items() if count}
        total = sum(by_node.values())
        least = 0 if promise == "at_most_once" else acknowledged[key]
        most = None if promise == "at_least_once" else asked[key]
        if total >= least and (most is None or total <= most):
            continue
        found.append(
            Mismatch(
                path=f"delivery[{render(key, 60)}]",
                expected=_expected(least, most),
                actual=f"{total} runs" + (f": {_told(by_node)}" if by_node else ""),
            )
        )
    more = len(found) - _MOST_TOLD
    if more > 0:
        found[_MOST_TOLD:] = [
            Mismatch(path="delivery", expected="as promised", actual=f"and {more} more keys")
        ]
    return tuple(found)


def _expected(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least} run{'' if least == 1 else 's'}"
    if least == most:
        return f"{most} run{'' if most == 1 else 's'}"
    return f"at most {most} run{'' if most == 1 else 's'}" if not least else f"{least} to {most}"


def _told(by_node: Mapping[str, int]) -> str:
    return ", ".join(f"{node} {count}" for node, count in by_node.items())
