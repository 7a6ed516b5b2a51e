from __future__ import annotations

from collections import Counter
from itertools import islice

from collector_reference.dispatch.balancing import least_pending, rendezvous, rotated

NAMES = [f"peer-{number}" for number in range(10)]
HINTS = [f"customer-{number}" for number in range(5_000)]


def identity(name: str) -> str:
    return name


def first(names: list[str], hint: str) -> str:
    return next(rendezvous(names, hint, identity))


def test_each_turn_begins_with_another_candidate():
    """DSP-015"""
    assert [list(rotated("abc", turn)) for turn in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]
    assert list(rotated("", 3)) == []


def test_who_has_the_fewest_pending_calls_comes_first():
    pending = {"a": 2, "b": 0, "c": 1, "d": 0}
    assert list(least_pending("abcd", 0, pending.__getitem__)) == ["b", "d", "c", "a"]
    # Where several have as few, they take turns.
    assert list(least_pending("abcd", 2, pending.__getitem__)) == ["d", "b", "c", "a"]
    assert list(least_pending("", 2, pending.__getitem__)) == []


def test_a_hint_orders_all_candidates_alike_wherever_they_stand():
    order = list(rendezvous(NAMES, "customer", identity))
    assert sorted(order) == NAMES
    assert list(rendezvous(NAMES[::-1], "customer", identity)) == order
    assert list(rendezvous([], "customer", identity)) == []


def test_the_order_of_a_hint_is_the_same_in_every_process_and_version():
    assert list(rendezvous(["a", "b", "c", "d"], "customer-7", identity)) == ["d", "a", "c", "b"]


def test_hints_spread_evenly():
    taken = Counter(first(NAMES, hint) for hint in HINTS)
    assert set(taken) == set(NAMES)
    # 500 each; over five standard deviations away would be no chance.
    assert all(390 < count < 610 for count in taken.values())


def test_who_goes_leaves_its_own_hints_to_all_others_and_moves_no_other():
    left = NAMES[1:]
    moved = Counter()
    for hint in HINTS:
        before, now = first(NAMES, hint), first(left, hint)
        if before == NAMES[0]:
            moved[now] += 1
            assert now == next(islice(rendezvous(NAMES, hint, identity), 1, None))
        else:
            assert now == before
    assert set(moved) == set(left)


def test_hint_and_name_are_kept_apart():
    orders = {
        tuple(rendezvous([f"{tail}1", f"{tail}2", f"{tail}3"], f"{head}", lambda name: name))
        for head, tail in (("ab", "c"), ("a", "bc"))
    }
    assert len(orders) == 2
