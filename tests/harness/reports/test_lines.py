"""Source lines with a caret, and problems of an input, word for word."""

from __future__ import annotations

from collector_harness.errors import Position, Problem
from collector_harness.reports.lines import plain, problem, source_excerpt


def excerpt(text: str, column: int) -> list[str]:
    return plain(source_excerpt(Position(source="a.yaml", line=3, column=column, text=text))).split(
        "\n"
    )


def test_the_caret_stands_under_the_column() -> None:
    assert excerpt("  statsu: OK", 3) == [
        "--> a.yaml:3:3",
        "    3 |   statsu: OK",
        "          ^",
        "",
    ]


def test_the_caret_stands_under_the_column_after_wide_and_escaped_characters() -> None:
    _, shown, caret, _ = excerpt("漢\x1b: x", 5)
    assert shown == "    3 | 漢\\x1b: x"
    assert caret == " " * (8 + 2 + 4 + 2) + "^"


def test_a_long_line_is_cut_around_the_column() -> None:
    _, shown, caret, _ = excerpt("a" * 500 + "HERE" + "b" * 500, 501)
    assert len(shown) < 120
    assert shown[caret.index("^") :].startswith("HERE")


def test_a_position_without_its_line_is_only_a_place() -> None:
    assert excerpt("", 4) == ["--> a.yaml:3:4", ""]


def test_a_problem_says_what_where_and_what_to_do() -> None:
    found = Problem(
        message="there is no key 'statsu'",
        position=Position(source="a.yaml", line=3, column=3, text="  statsu: OK"),
        hint="did you mean 'status'?",
    )
    assert plain(problem(found)) == (
        "error: there is no key 'statsu'\n"
        "  --> a.yaml:3:3\n"
        "      3 |   statsu: OK\n"
        "            ^\n"
        "  hint: did you mean 'status'?\n"
    )
