from __future__ import annotations

from datetime import timedelta

import pytest

from collector_reference.dispatch.breaker import (
    CLOSED,
    Breaker,
    BreakerSnapshot,
    Health,
    Phase,
    State,
    admit,
    after,
)
from collector_reference.dispatch.tuning import BreakerSettings

SETTINGS = BreakerSettings(failures=3, open_time=timedelta(seconds=5), trials=2)
OPEN = State(phase=Phase.OPEN, failures=3, since=10.0, period=1)
HALF_OPEN = State(phase=Phase.HALF_OPEN, failures=3, since=15.0, trials=1, period=2)


def test_closed_it_lets_every_call_through():
    assert admit(CLOSED, 0.0, SETTINGS) == (CLOSED, 0)


def test_failures_in_a_row_open_it():
    state = CLOSED
    for failures in (1, 2):
        state = after(state, 0, Health.ILL, 9.0, SETTINGS)
        assert state == State(failures=failures)
    assert after(state, 0, Health.ILL, 10.0, SETTINGS) == State(
        phase=Phase.OPEN, failures=3, since=10.0, period=1
    )


def test_a_good_answer_forgets_the_failures_before_it():
    assert after(State(failures=2), 0, Health.WELL, 9.0, SETTINGS) == CLOSED


def test_a_caller_that_gives_up_says_nothing():
    assert after(State(failures=2), 0, Health.UNKNOWN, 9.0, SETTINGS) == State(failures=2)


@pytest.mark.parametrize("now", [10.0, 14.999])
def test_open_it_refuses(now):
    assert admit(OPEN, now, SETTINGS) == (OPEN, None)


def test_after_its_time_it_lets_a_few_trials_through():
    state, permit = admit(OPEN, 15.0, SETTINGS)
    assert (state, permit) == (HALF_OPEN, 2)
    state, permit = admit(state, 15.0, SETTINGS)
    assert (state.trials, permit) == (2, 2)
    assert admit(state, 99.0, SETTINGS) == (state, None)


def test_a_trial_that_ends_well_closes_it():
    assert after(HALF_OPEN, 2, Health.WELL, 16.0, SETTINGS) == State(since=16.0, period=3)


def test_a_trial_that_fails_opens_it_for_the_whole_time_again():
    state = after(HALF_OPEN, 2, Health.ILL, 16.0, SETTINGS)
    assert state == State(phase=Phase.OPEN, failures=4, since=16.0, period=3)
    assert admit(state, 20.0, SETTINGS) == (state, None)


def test_a_trial_that_says_nothing_makes_room_for_another():
    assert after(HALF_OPEN, 2, Health.UNKNOWN, 16.0, SETTINGS) == State(
        phase=Phase.HALF_OPEN, failures=3, since=15.0, trials=0, period=2
    )


@pytest.mark.parametrize("health", list(Health))
@pytest.mark.parametrize("state", [OPEN, HALF_OPEN, State(period=3)])
def test_what_a_call_of_a_former_phase_says_comes_too_late(state, health):
    assert after(state, 0, health, 99.0, SETTINGS) == state


def test_a_peers_breaker_goes_by_the_clock_that_it_is_given():
    now = 100.0
    breaker = Breaker(SETTINGS, lambda: now)
    for _ in range(3):
        permit = breaker.admit()
        assert permit is not None
        breaker.after(permit, Health.ILL)
    now = 103.0
    assert breaker.admit() is None
    assert breaker.snapshot() == BreakerSnapshot(
        phase=Phase.OPEN, failures=3, tried_in=timedelta(seconds=2)
    )
    now = 105.0
    trial = breaker.admit()
    assert trial is not None
    assert breaker.snapshot() == BreakerSnapshot(phase=Phase.HALF_OPEN, failures=3, tried_in=None)
    breaker.after(trial, Health.WELL)
    assert breaker.snapshot() == BreakerSnapshot(phase=Phase.CLOSED, failures=0, tried_in=None)


def test_a_peer_that_is_back_closes_it_at_once():
    breaker = Breaker(SETTINGS, lambda: 0.0)
    for _ in range(3):
        permit = breaker.admit()
        assert permit is not None
        breaker.after(permit, Health.ILL)
    assert breaker.admit() is None
    breaker.close()
    permit = breaker.admit()
    assert permit is not None
    # Calls from before the opening are no evidence any more.
    breaker.after(0, Health.ILL)
    assert breaker.snapshot().failures == 0
