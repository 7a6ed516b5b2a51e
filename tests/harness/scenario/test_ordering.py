"""Cases are repeated, shuffled by the seed, and divided into parts that stay as they are."""

from __future__ import annotations

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import Case, parse_scenario
from collector_harness.scenario.ordering import Shard, parse_shard, rounds_of, sharded

NAMES = [f"case{number}" for number in range(100)]


def _cases() -> tuple[Case, ...]:
    rows = ", ".join(f"{name}: {{n: 1}}" for name in NAMES)
    return parse_scenario(
        "version: 1\nscenario: t\ntopology: {nodes: {hub: {}}}\n"
        f"cases: {{{rows}}}\nsteps: [{{list: shop}}]\n"
    ).cases


def test_rounds_follow_each_other_with_ids_of_their_own() -> None:
    cases = _cases()
    ordered = rounds_of(cases, count=3, shuffle=False, seed=1)
    assert [case.name for case in ordered] == NAMES * 3
    assert len({case.id for case in ordered}) == 300
    assert ordered[100].address == cases[0].id
    assert ordered[100].id == f"{cases[0].id} #2"


def test_the_order_follows_from_the_seed_and_not_from_that_of_the_files() -> None:
    cases = _cases()
    ordered = rounds_of(cases, count=2, shuffle=True, seed=1)
    again = rounds_of(tuple(reversed(cases)), count=2, shuffle=True, seed=1)
    assert [case.id for case in ordered] == [case.id for case in again]
    names = [case.name for case in ordered]
    assert sorted(names[:100]) == sorted(names[100:]) == sorted(NAMES)
    assert names[:100] != names[100:]
    assert names[:100] != NAMES
    other = rounds_of(cases, count=2, shuffle=True, seed=2)
    assert [case.name for case in other] != names


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_every_case_belongs_to_one_part(of: int) -> None:
    parts = [sharded(NAMES, Shard(number=number, of=of), key=str) for number in range(1, of + 1)]
    assert sorted(name for part in parts for name in part) == sorted(NAMES)
    assert all(len(part) > 50 / of for part in parts)


def test_where_a_case_belongs_does_not_depend_on_the_others() -> None:
    shard = Shard(number=2, of=3)
    whole = sharded(NAMES, shard, key=str)
    assert sharded(NAMES[::2], shard, key=str) == tuple(
        name for name in whole if name in NAMES[::2]
    )
    # It is the same in every version and on every machine.
    assert whole[:3] == ("case2", "case5", "case8")


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "1/2/3", " 1/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no shard"):
        parse_shard(text)
