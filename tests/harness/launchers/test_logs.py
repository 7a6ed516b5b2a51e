"""What a node writes is bounded and safe to show, however hostile it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_harness.launchers.logs import LINE_LIMIT, LineSplitter, LogBuffer, sanitised


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb\x00\x7f\x9b", "a\\rb\\x00\\x7f\\x9b"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\ud800", "\\ud800"),
        ("line\u2028end", "line\\u2028end"),
        ("grüße 日本 🎉", "grüße 日本 🎉"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert sanitised(text) == shown


@given(st.binary(max_size=500), st.lists(st.integers(1, 40), min_size=1))
def test_lines_do_not_depend_on_how_the_stream_is_cut(data: bytes, sizes: list[int]) -> None:
    whole, pieces = LineSplitter(limit=16), LineSplitter(limit=16)
    expected = [*whole.feed(data), *whole.end()]
    found = []
    place = 0
    for turn in range(len(data)):
        size = sizes[turn % len(sizes)]
        found += pieces.feed(data[place : place + size])
        place += size
    found += pieces.end()
    assert found == expected
    assert all(len(line) <= 16 for line, _ in found)


def test_a_line_that_is_too_long_comes_in_pieces_that_are_no_lines() -> None:
    splitter = LineSplitter(limit=4)
    assert splitter.feed(b"abcdefghij\nok\n") == [
        (b"abcd", False),
        (b"efgh", False),
        (b"ij", False),
        (b"ok", True),
    ]


def test_the_buffer_keeps_the_last_lines_and_counts_the_others() -> None:
    log = LogBuffer(limit=40)
    for number in range(10):
        log.add(b"line %d" % number)
    assert log.text() == "[5 earlier lines were dropped]\n" + "\n".join(
        f"line {number}" for number in range(5, 10)
    )
    assert log.tail(2) == "line 8\nline 9"


def test_one_huge_line_does_not_grow_the_buffer() -> None:
    log = LogBuffer(limit=40)
    log.add(b"x" * 1_000_000)
    assert len(log.text()) == LINE_LIMIT
