from __future__ import annotations

from datetime import timedelta
from itertools import islice

import pytest

from collector_reference.dispatch.backoff import pauses


@pytest.mark.parametrize(("draw", "factor"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_pauses_double_up_to_the_longest_and_lose_up_to_half(draw, factor):
    found = pauses(timedelta(seconds=1), timedelta(seconds=5), lambda: draw)
    assert list(islice(found, 5)) == [factor * pause for pause in (1, 2, 4, 5, 5)]


def test_the_first_pause_is_no_longer_than_the_longest():
    found = pauses(timedelta(seconds=9), timedelta(seconds=2), lambda: 1.0)
    assert list(islice(found, 2)) == [2, 2]
