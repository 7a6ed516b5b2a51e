"""`{$bytes: n}` makes a payload of so many bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario.matching_syntax import payload_faults
from collector_harness.scenario.values import MOST_BYTES, Path, substitute


def _limit(path: Path) -> object:
    assert path.text == "limit.message_size"
    return 4096


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ({"$bytes": 0}, 0),
        ({"$bytes": 1000}, 1000),
        ({"$bytes": "${limit.message_size}", "less": 96}, 4000),
        ({"$bytes": "${limit.message_size}", "plus": 1}, 4097),
        ({"$bytes": 10, "plus": 5, "less": 3}, 12),
    ],
)
def test_there_are_as_many_as_it_says(written: object, size: int) -> None:
    assert list(payload_faults(written, ())) == []
    made = substitute({"data": [written]}, _limit)
    assert isinstance(made, dict)
    (data,) = made["data"]
    assert isinstance(data, bytes)
    assert len(data) == size
    assert all(first != second for first, second in pairwise(data))


@pytest.mark.parametrize(
    "written",
    [
        {"$bytes": -1},
        {"$bytes": 3, "less": 4},
        {"$bytes": MOST_BYTES, "plus": 1},
        {"$bytes": True},
        {"$bytes": 10, "less": "many"},
    ],
)
def test_a_number_that_cannot_be_is_refused(written: object) -> None:
    with pytest.raises(InvalidInput, match="bytes"):
        substitute(written, _limit)


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ({"$bytes": "many"}, ("$bytes",)),
        ({"$bytes": -1}, ("$bytes",)),
        ({"$bytes": 10, "less": 1.5}, ("less",)),
        ({"$bytes": 10, "more": 1}, ("$bytes",)),
    ],
)
def test_what_is_wrong_as_written_is_told_with_its_place(
    written: object, place: tuple[str, ...]
) -> None:
    assert [fault.place for fault in payload_faults(written, ())] == [place]
