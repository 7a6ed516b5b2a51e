"""Text from elsewhere becomes harmless and short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_harness.reports.escaping import block, one_line, printable, width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode, 漢字", "plain, ünïcode, 漢字"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x9b2J\x7f\x00", "\\x9b2J\\x7f\\x00"),
        ("\u202eright\u2066", "\\u202eright\\u2066"),
        ("\ud800", "\\ud800"),
        ("\u2028", "\\u2028"),
        ("\U000e0001", "\\U000e0001"),
        ("[red]markup[/red]", "[red]markup[/red]"),
    ],
)
def test_what_is_not_plainly_visible_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(alphabet=st.characters(), max_size=300), st.integers(1, 80))
def test_one_line_is_printable_and_within_its_limit(text: str, limit: int) -> None:
    shown = one_line(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit


def test_a_cut_is_visible() -> None:
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"


def test_a_block_keeps_its_beginning_and_says_what_is_missing() -> None:
    assert block("a\nb\nc\nd", lines=2, columns=9) == ("a", "b", "… 2 more lines")


def test_the_tail_of_a_block_keeps_its_end() -> None:
    assert block("a\nb\nc\n", lines=2, columns=9, tail=True) == ("… 1 earlier line", "b", "c")


def test_no_text_is_no_line() -> None:
    assert block("", lines=2, columns=9) == ()


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("漢字", 4), ("e\u0301", 1)])
def test_width_counts_the_columns_of_a_terminal(text: str, columns: int) -> None:
    assert width(text) == columns
