"""`-k` expressions."""

from __future__ import annotations

import pytest

from collector_harness.commands.selection import parse_selection
from collector_harness.errors import InvalidInput

NAMES = ("a.scenario.yaml::Orders don't get lost[two (2)]", "routing", "DSP-004")


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("orders", True),
        ("ORDERS", True),
        ("dsp-004", True),
        ("DSP-005", False),
        ("don't", True),
        ("not routing", False),
        ("not not routing", True),
        ("routing and DSP-004", True),
        ("routing and slow", False),
        ("routing or slow", True),
        ("slow or not slow", True),
        ("slow or slow and routing", False),
        ("routing or slow and slow", True),
        ("(routing or slow) and slow", False),
        ("not (routing and slow)", True),
        ("not slow and routing", True),
        ('"get lost"', True),
        ("'get lost'", True),
        ('"two (2)"', True),
        ('"and"', False),
        ("  routing  ", True),
        ("routing AND dsp-004", True),
        ("::Orders", True),
    ],
)
def test_a_case_is_selected_by_its_names(text: str, selected: bool) -> None:
    assert parse_selection(text).matches(NAMES) is selected


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "expected a word"),
        ("a b", 3, "expected 'and', 'or' or the end, found 'b'"),
        ("a and", 6, "the expression ends"),
        ("or a", 1, "found 'or'"),
        ("(a", 3, "a parenthesis is not closed"),
        ("a)", 2, "found ')'"),
        ('a and "b', 7, "a quotation mark is not closed"),
        ('a or ""', 7, "a word is empty"),
    ],
)
def test_a_broken_expression_is_told_with_its_column(text: str, column: int, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_selection(text)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.position is not None
    assert problem.position.column == column
