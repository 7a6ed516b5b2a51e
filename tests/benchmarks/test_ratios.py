"""The statistics say what the samples say: medians, spread, and the verdict on a target."""

import math

import pytest
from benchmarks.ratios import Round, Summary, Target, Verdict, judge, summarise


def test_a_ratio_is_taken_against_the_middle_of_the_two_floors():
    round_ = Round(floor=10, ours=30, again=40)
    assert round_.middle == pytest.approx(20)
    assert round_.ratio == pytest.approx(1.5)


def test_a_machine_that_slows_down_steadily_does_not_move_the_ratio():
    assert Round(floor=1.0, ours=1.1, again=1.21).ratio == pytest.approx(1)


@pytest.mark.parametrize(("floor", "again"), [(8, 10), (10, 8)])
def test_the_control_is_the_factor_between_the_floors_in_either_direction(floor, again):
    assert Round(floor=floor, ours=1, again=again).control == pytest.approx(1.25)


@pytest.mark.parametrize("sample", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("side", ["floor", "ours", "again"])
def test_a_sample_that_no_work_can_yield_is_refused(side, sample):
    samples = {"floor": 1.0, "ours": 1.0, "again": 1.0, side: sample}
    with pytest.raises(ValueError, match="above 0"):
        Round(**samples)


def test_a_summary_holds_medians_and_the_extremes_of_the_ratio():
    rounds = [
        Round(floor=10, ours=10, again=10),
        Round(floor=20, ours=60, again=20),
        Round(floor=10, ours=11, again=10),
        Round(floor=10, ours=8, again=12.1),
        Round(floor=10, ours=20, again=10),
    ]
    assert summarise(rounds) == Summary(
        ratio=pytest.approx(1.1),
        low=pytest.approx(8 / 11),
        high=pytest.approx(3),
        control=1,
        floor=10,
        rounds=5,
    )


def test_one_wild_round_does_not_move_the_ratio_or_the_control():
    calm = [Round(floor=10, ours=11, again=10.5)] * 6
    wild = Round(floor=10, ours=900, again=50)
    assert summarise([*calm, wild]).ratio == summarise(calm).ratio
    assert summarise([*calm, wild]).control == summarise(calm).control


def test_nothing_is_said_about_no_rounds():
    with pytest.raises(ValueError, match="no rounds"):
        summarise([])


def summary(ratio: float, *, control: float = 1.0, floor: float = 100.0) -> Summary:
    return Summary(ratio=ratio, low=ratio, high=ratio, control=control, floor=floor, rounds=7)


@pytest.mark.parametrize(
    ("ratio", "control", "target", "verdict"),
    [
        (1.10, 1.00, Target.at_most(1.10), Verdict.MET),
        (0.20, 1.00, Target.at_most(1.10), Verdict.MET),
        (1.12, 1.05, Target.at_most(1.10), Verdict.EQUAL),
        (1.12, 1.01, Target.at_most(1.10), Verdict.MISSED),
        (0.85, 1.00, Target.at_least(0.85), Verdict.MET),
        (3.00, 1.00, Target.at_least(0.85), Verdict.MET),
        (0.82, 1.05, Target.at_least(0.85), Verdict.EQUAL),
        (0.82, 1.01, Target.at_least(0.85), Verdict.MISSED),
        (1.15, 1.00, Target.at_most_added(15), Verdict.MET),
        (1.16, 1.00, Target.at_most_added(15), Verdict.MISSED),
        (1.16, 1.02, Target.at_most_added(15), Verdict.EQUAL),
    ],
)
def test_a_verdict_weighs_the_ratio_against_the_target_and_the_noise(
    ratio, control, target, verdict
):
    assert judge(summary(ratio, control=control), target) is verdict


def test_an_added_amount_becomes_a_ratio_of_the_floor_it_is_added_to():
    assert Target.at_most_added(15).over(60) == Target.at_most(1.25)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (Target.at_most(1.1), "<= 1.1"),
        (Target.at_least(0.85), ">= 0.85"),
        (Target.at_most_added(15), "<= +15"),
        (Target.at_most_added(15).over(333), "<= 1.045"),
    ],
)
def test_a_target_reads_as_it_is_written_down(target, text):
    assert str(target) == text
