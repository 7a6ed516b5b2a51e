"""Documents are YAML 1.2 and nothing looser, and everything in them has a place."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from collector_harness.documents import load, load_file
from collector_harness.documents.document import MAX_BYTES
from collector_harness.documents.yaml12 import MAX_DEPTH
from collector_harness.errors import InvalidInput, Problem


def _problem(text: str) -> Problem:
    with pytest.raises(InvalidInput) as caught:
        load(text, "x.yaml")
    assert len(caught.value.problems) == 1, str(caught.value)
    return caught.value.problems[0]


def _place(problem: Problem) -> tuple[int, int]:
    assert problem.position is not None
    return problem.position.line, problem.position.column


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("12:30:45", "12:30:45"),
        ("2026-11-21", "2026-11-21"),
        ("1_000", "1_000"),
        ("0b101", "0b101"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("7", 7),
        ("-7", -7),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("+", "+"),
        (".", "."),
        ("'7'", "7"),
        ('"true"', "true"),
        ("!!str 7", "7"),
        ("!!float 7", 7.0),
        ("!!int 7", 7),
        ("|\n  7\n", "7\n"),
        ("${x}", "${x}"),
    ],
)
def test_a_scalar_has_the_type_that_yaml_1_2_gives_it(text: str, value: object) -> None:
    loaded = load(f"- {text}").value
    assert loaded == [value]
    assert isinstance(loaded, list)
    assert type(loaded[0]) is type(value)


def test_keys_are_the_text_that_they_look_like() -> None:
    assert load("{on: 1, yes: 2, y: 3, ö: 4}").value == {"on": 1, "yes": 2, "y": 3, "ö": 4}


def test_an_alias_stands_for_its_anchor() -> None:
    assert load("a: &x {b: 1}\nc: *x").value == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("", (1, 1), "the document is empty", "required keys"),
        ("# only this\n", (1, 1), "the document is empty", "required keys"),
        ("a: 1\nb: 2\na: 3\n", (3, 1), "the key 'a' is given twice", "line 1"),
        ("a:\n\tb: 2\n", (2, 1), "a tab is used as indentation", "spaces"),
        ("a: 1\n\tb: 2\n", (2, 1), "a tab is used as indentation", "spaces"),
        ("a: 1\n---\nb: 2\n", (2, 1), "a second document begins here", "one document per file"),
        ("1: a\n", (1, 1), "the key '1' is not text", 'quotes: "1"'),
        ("true: a\n", (1, 1), "the key 'true' is not text", 'quotes: "true"'),
        ("[a, b]: c\n", (1, 1), "a key must be text", ""),
        ("{a: 1}: c\n", (1, 1), "this key is a mapping", '"${...}"'),
        (
            "a: &x {b: 1}\nc: {<<: *x}\n",
            (2, 5),
            "merge keys ('<<') are not part of YAML 1.2",
            "write the keys out",
        ),
        ("a: !python/name:os.system x\n", (1, 4), "the tag '!python/name:os.system'", "drop"),
        ("a: !!binary aGk=\n", (1, 4), "the tag", "drop the tag"),
        ("a: !!set {b}\n", (1, 4), "the tag", "drop the tag"),
        ("a: !!int x\n", (1, 4), "not of the type", "drop the tag"),
        ("a: *nope\n", (1, 4), "this alias has no anchor", "quotes"),
        ('a: "open\n', (1, 4), "a quoted text is not closed", "close"),
        ("a: b: c\n", (1, 5), "a ':' is not allowed here", "quotes"),
        ("a: @b\n", (1, 4), "a value cannot begin with '@'", "quotes"),
        ("a:\n  - b\nc\n", (3, 1), "a key without ':'", "key: value"),
        ("a: {x: ${y}}\n", (1, 8), "a path inside braces or brackets needs quotes", '"${...}"'),
        ("a: [${y}]\n", (1, 5), "a path inside braces or brackets needs quotes", '"${...}"'),
        ("a: [b, x-${y}]\n", (1, 10), "a path inside braces", '"${...}"'),
        ("a: {${y}: 1}\n", (1, 5), "a path inside braces", '"${...}"'),
        ("a: b\x07\n", (1, 5), "the character U+0007 is not allowed", "\\u0007"),
        ("ä: ö\nb: ü\x01\n", (2, 5), "the character U+0001 is not allowed", "\\u0001"),
        ("%YAML 3.0\n---\na: 1\n", (1, 1), "this is not YAML 1.2", "%YAML"),
        ("a: " + "9" * 5000, (1, 4), "too many digits", "quotes"),
    ],
)
def test_what_is_not_allowed_is_told_with_its_place_and_a_remedy(
    text: str, place: tuple[int, int], message: str, hint: str
) -> None:
    problem = _problem(text)
    assert message in problem.message
    assert _place(problem) == place
    assert hint in (problem.hint or "")


def test_every_bad_key_of_a_document_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        load("a: {b: 1, b: 2}\n1: x\na: 3\nc: !foo 1\n")
    assert [_place(problem) for problem in caught.value.problems] == [
        (1, 11),
        (2, 1),
        (3, 1),
        (4, 4),
    ]


def test_aliases_of_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    problem = _problem("\n".join(lines))
    assert "more than 200,000 values once its aliases are written out" in problem.message


def test_an_alias_inside_its_own_anchor_is_refused() -> None:
    assert "nest deeper" in _problem("a: &a [*a]\n").message


@pytest.mark.parametrize("text", ["[" * 60_000, "- " * 60_000 + "a", "{a: " * 60_000], ids=len)
def test_deep_nesting_is_refused_and_does_not_overflow_the_stack(text: str) -> None:
    assert _problem(text).message == f"values nest deeper than {MAX_DEPTH} levels"


def test_nesting_up_to_the_limit_is_allowed() -> None:
    load("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("a: " + "x" * MAX_BYTES)
    with pytest.raises(InvalidInput, match="1,000,003 bytes are more than the 1,000,000"):
        load_file(path)


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: ä\nb: ü\n".encode() + "c: ö\n".encode("latin-1"))
    with pytest.raises(InvalidInput) as caught:
        load_file(path, "latin.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "byte 0xf6 is not UTF-8"
    assert str(problem.position) == "latin.yaml:3:4"
    assert problem.hint == "save the file as UTF-8"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert load_file(path).value == {"a": 1}


def test_a_byte_that_is_wrong_is_told_with_its_line_behind_a_byte_order_mark(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\nb: \xff\n")
    with pytest.raises(InvalidInput) as caught:
        load_file(path, "bom.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "byte 0xff is not UTF-8"
    assert str(problem.position) == "bom.yaml:2:4"


def test_a_file_of_more_than_usual_size_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    text = "ä" * 300_000
    path.write_text(f"a: {text}\nb: 1\n", encoding="utf-8")
    assert load_file(path).value == {"a": text, "b": 1}


NESTED = """\
a:
  b:
    c: 1
  "d e": 2
f: [1,
    2]
"""


@pytest.mark.parametrize(
    ("location", "line"),
    [(("a",), 1), (("a", "b"), 2), (("a", "b", "c"), 3), (("a", "d e"), 4), (("f",), 5)],
    ids=str,
)
def test_a_key_has_the_line_that_its_position_has(location: tuple[str, ...], line: int) -> None:
    document = load(NESTED)
    assert document.line(location) == document.position(location, key=True).line == line


def test_what_is_not_there_has_the_line_of_what_it_would_be_in() -> None:
    document = load(NESTED)
    assert document.line(("a", "b", "x")) == document.position(("a", "b", "x"), key=True).line == 2


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_told_by_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_file(tmp_path / name)


TEXT = """\
name: x
steps:
  - dispatch: a
    expect: {status: OK, output: [1, {b: 2}]}
  - serve: b
"""


@pytest.mark.parametrize(
    ("location", "key", "place"),
    [
        ((), False, (1, 1)),
        (("name",), False, (1, 7)),
        (("name",), True, (1, 1)),
        (("steps",), True, (2, 1)),
        (("steps", 0), False, (3, 5)),
        (("steps", 0, "expect", "status"), False, (4, 22)),
        (("steps", 0, "expect", "status"), True, (4, 14)),
        (("steps", 0, "expect", "output", 1, "b"), False, (4, 42)),
        (("steps", 0, "expect", "nothing"), False, (4, 5)),
        (("steps", 7), False, (2, 1)),
        (("nothing",), False, (1, 1)),
    ],
)
def test_a_location_leads_to_its_place_or_to_the_nearest_that_there_is(
    location: tuple[str | int, ...], key: bool, place: tuple[int, int]
) -> None:
    position = load(TEXT, "x").position(location, key=key)
    assert (position.line, position.column) == place
    assert position.text == TEXT.splitlines()[place[0] - 1]


def test_a_document_tells_what_is_there() -> None:
    document = load(TEXT)
    assert document.has(("steps", 0, "expect", "output", 1, "b"))
    assert not document.has(("steps", 0, "expect", "output", 2))
    assert not document.has(("steps", 0, "dispatch", "a"))
