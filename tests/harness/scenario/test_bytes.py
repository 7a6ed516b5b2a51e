"""`{$bytes: n}` makes so many bytes, and `{$text: ...}` a text, wherever values are written."""

from __future__ import annotations

from itertools import pairwise

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import parse_scenario
from collector_harness.scenario.matching import match
from collector_harness.scenario.matching_syntax import expectation_faults, payload_faults
from collector_harness.scenario.values import (
    MOST_BYTES,
    Path,
    made_bytes,
    substitute,
    substitute_expectation,
)


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


def test_an_expectation_is_met_by_the_same_bytes_and_by_no_others() -> None:
    written = {"data": {"$bytes": "${limit.message_size}", "less": 96}}
    assert list(expectation_faults(written, ())) == []
    expected = substitute_expectation(written, _limit)
    assert match(expected, {"data": made_bytes({"$bytes": 4000})}) == ()
    (found,) = match(expected, {"data": made_bytes({"$bytes": 4001})})
    assert found.path == "data"


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (1.5, "1.5"), (True, "true"), (None, ""), ("a", "a")]
)
def test_a_value_is_written_as_text(value: object, text: str) -> None:
    written = {"id": {"$text": "${nr}"}}
    assert list(payload_faults(written, ())) == list(expectation_faults(written, ())) == []
    assert substitute(written, lambda _: value) == {"id": text}
    expected = substitute_expectation(written, lambda _: value)
    assert match(expected, {"id": text}) == ()
    assert match(expected, {"id": [text]}) != ()


def test_a_list_is_no_text() -> None:
    (fault,) = payload_faults({"$text": [1]}, ())
    assert fault.message == "$text needs a single value"
    with pytest.raises(InvalidInput, match="cannot stand inside text"):
        substitute({"$text": "${nr}"}, lambda _: [1])


CASES = """\
version: 1
scenario: what is sent comes back
topology: {nodes: {hub: {namespaces: [shop], probe: [shop]}}}
definitions:
  echo:
    parameters: {sent: null}
    steps:
      - dispatch: shop/conformance.Probe.Echo
        input: ${with.sent}
        expect: {output: "${with.sent}"}
cases:
  small: {data: {$bytes: 3}}
  larger: {data: {$bytes: 2000, less: 1}}
  escaped: {data: {note: "Dear $${name}"}}
  number: {data: {id: {$text: 7}}}
steps:
  - {dispatch: shop/conformance.Probe.Echo, input: "${case.data}", expect: {output: "${case.data}"}}
  - {use: echo, with: {sent: "${case.data}"}}
  - {use: echo, with: {sent: {$bytes: 5, plus: 1}}}
  - {dispatch: shop/conformance.Probe.Echo, input: {$bytes: 6}, expect: {output: {$bytes: 6}}}
"""


def test_cases_and_parameters_may_be_made_too(run_all) -> None:
    assert run_all(CASES).passed()


def test_what_cannot_be_made_is_told_in_a_case() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(CASES.replace("$bytes: 3", "$bytes: many"))
    assert "$bytes needs a number of bytes" in str(caught.value)
