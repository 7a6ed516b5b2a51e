"""Answers are compared completely, by value, and never believed."""

from __future__ import annotations

import math

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.events import Mismatch
from collector_harness.scenario.matching import ABSENT, MAX_MISMATCHES, match, matches
from collector_harness.scenario.rendering import MAX_SHOWN, render
from collector_harness.scenario.values import Given

ANSWER = {
    "status": "OK",
    "output": {"id": 7, "items": [{"sku": "A1", "n": 1}, {"sku": "B2", "n": 2}]},
    "handled_by": None,
    "seconds": 0.02,
}


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, 1),
        (1, 1.0),
        (1.5, 1.5),
        (math.nan, math.nan),
        ("a", "a"),
        (None, None),
        (True, True),
        (b"\x00", b"\x00"),
        ([], []),
        ([1, {"a": 2}], [1, {"a": 2, "b": 3}]),
        ({}, {"a": 1}),
        ({}, {}),
        ({"output": {"items": [{"sku": "A1"}, {"sku": "B2"}]}}, ANSWER),
        ({"$exact": {"a": [1]}}, {"a": [1]}),
        ({"$exact": {"$$any": True}}, {"$any": True}),
        ({"$$ref": 1}, {"$ref": 1}),
        ({"$regex": "^a.c$"}, "abc"),
        ({"$regex": "b"}, "abc"),
        ({"$any": True}, None),
        ({"$any": True}, 0),
        ({"a": {"$absent": True}}, {"b": 1}),
        ({"a": {"$absent": False}}, {"a": None}),
        ({"$not": 5}, 6),
        ({"$not": {"$in": [1, 2]}}, 3),
        ({"a": {"$not": {"$any": True}}}, {}),
        ({"$lt": 5}, 4.9),
        ({"$le": 5}, 5),
        ({"$gt": 5}, 5.1),
        ({"$ge": 5}, 5),
        ({"$gt": 1, "$lt": 3}, 2),
        ({"$lt": "50ms"}, 0.049),
        ({"$ge": "1m"}, 60),
        ({"$lt": "b"}, "a"),
        ({"$gt": 2**60}, 2**60 + 1),
        ({"$in": [1, {"$gt": 10}]}, 11),
        ({"$len": 3}, "abc"),
        ({"$len": {"$gt": 1}}, [1, 2]),
        ({"$len": 0}, {}),
        ({"$len": 2}, b"ab"),
        ({"$contains": "b"}, "abc"),
        ({"$contains": {"sku": "B2"}}, ANSWER["output"]["items"]),  # type: ignore[index]
        ({"$contains": "a"}, {"a": 1}),
        ({"$contains": {"$base64": "Yg=="}}, b"abc"),
        ({"$contains": {"$base64": "YQ=="}}, [b"a"]),
        ({"$unique": True}, []),
        # As they are compared elsewhere, 1 is neither true nor "1".
        ({"$unique": True}, [1, "1", True, None, {"a": 1}, {"a": 2}, [1]]),
        ({"$unique": False}, [1, 1.0]),
        ({"$type": "null"}, None),
        ({"$type": "boolean"}, False),
        ({"$type": "integer"}, 1),
        ({"$type": "number"}, 1),
        ({"$type": "number"}, 1.0),
        ({"$type": "string"}, ""),
        ({"$type": "bytes"}, b""),
        ({"$type": "list"}, []),
        ({"$type": "mapping"}, {}),
        ({"$unordered": [1, 2, 3]}, [3, 1, 2]),
        ({"$unordered": []}, []),
        # The first that fits is not the right one: $any must leave 1 to the other.
        ({"$unordered": [{"$any": True}, 1]}, [1, 2]),
        ({"$unordered": [{"$gt": 0}, {"$gt": 1}, {"$gt": 2}]}, [3, 2, 1]),
        ({"$unordered": [{"$in": [1, 2]}, {"$in": [2, 3]}, {"$in": [1, 3]}, 4]}, [4, 3, 2, 1]),
        ({"$all_of": [{"$type": "string"}, {"$len": 2}]}, "ab"),
        ({"$any_of": [1, "a"]}, "a"),
        ({"$base64": "AAE="}, b"\x00\x01"),
        (Given(value={"$any": True}), {"$any": True}),
        (Given(value=[1, {"a": 2}]), [1, {"a": 2}]),
        ({"$in": Given(value=[1, 2])}, 2),
    ],
)
def test_what_is_as_expected_matches(expected: object, actual: object) -> None:
    assert match(expected, actual) == ()
    assert matches(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual", "mismatch"),
    [
        (1, 2, ("", "1", "2")),
        (1, "1", ("", "1", '"1"')),
        (1, True, ("", "1", "true")),
        (True, 1, ("", "true", "1")),
        (0, None, ("", "0", "null")),
        (None, ABSENT, ("", "null", "nothing")),
        ("a", b"a", ("", '"a"', '{"$base64": "YQ=="}')),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ("a.b", "1", "2")),
        ({"a": 1}, {}, ("a", "1", "nothing")),
        ({"a b": 1}, {}, ('["a b"]', "1", "nothing")),
        ({"a": {"b": 1}}, {"a": 5}, ("a", '{"b": 1}', "5")),
        ({"a": {"b": 1}}, {}, ("a", '{"b": 1}', "nothing")),
        ([1, 2], 5, ("", "[1, 2]", "5")),
        ([1, 2], [1, 3], ("[1]", "2", "3")),
        ([1], [1, 2], ("", "1 item: [1]", "2 items: [1, 2]")),
        ([], [1], ("", "0 items: []", "1 item: [1]")),
        ({"$exact": {"a": 1}}, {"a": 1, "b": 2}, ("b", "nothing", "2")),
        ({"$exact": {"$$gt": 1}}, {"$gt": 2}, ('["$gt"]', "1", "2")),
        ({"$regex": "^b"}, "ab", ("", "text that matches /^b/", '"ab"')),
        ({"$regex": "1"}, 1, ("", "text that matches /1/", "1")),
        ({"a": {"$any": True}}, {}, ("a", "anything", "nothing")),
        ({"a": {"$absent": True}}, {"a": None}, ("a", "nothing", "null")),
        ({"$not": {"$lt": 5}}, 4, ("", 'not {"$lt": 5}', "4")),
        ({"$not": {"$in": ["A", "B"]}}, "A", ("", 'none of ["A", "B"]', '"A"')),
        ({"$lt": 5}, 5, ("", "< 5", "5")),
        ({"$lt": 5}, "4", ("", "< 5", '"4"')),
        ({"$lt": 5}, None, ("", "< 5", "null")),
        ({"$gt": 0}, True, ("", "> 0", "true")),
        ({"$lt": "50ms"}, 0.06, ("", "< 50ms", "0.06")),
        ({"$ge": "b"}, "a", ("", ">= b", '"a"')),
        ({"$in": [1, 2]}, 3, ("", "one of [1, 2]", "3")),
        ({"$len": 3}, "ab", ("", "length 3", 'length 2: "ab"')),
        ({"$len": 3}, 5, ("", "something of length 3", "5")),
        ({"$contains": "z"}, "abc", ("", 'something that contains "z"', '"abc"')),
        ({"$contains": 1}, 5, ("", "something that contains 1", "5")),
        (
            {"$contains": {"$base64": "Yg=="}},
            b"a",
            ("", 'something that contains {"$base64": "Yg=="}', '{"$base64": "YQ=="}'),
        ),
        (
            {"$unique": True},
            ["a", "b", "a"],
            ("[2]", "a value that no other item has, but [0] has it", '"a"'),
        ),
        ({"$unique": True}, "ab", ("", "a list of values that differ", '"ab"')),
        ({"$unique": False}, [1, 2], ("", "values of which some are equal", "[1, 2]")),
        ({"$type": "integer"}, 1.0, ("", "a value of type integer", "1.0")),
        ({"$type": "integer"}, True, ("", "a value of type integer", "true")),
        ({"$type": "null"}, ABSENT, ("", "a value of type null", "nothing")),
        ({"$any_of": [1, 2]}, 3, ("", "any of [1, 2]", "3")),
        ({"$all_of": [{"$gt": 1}, {"$lt": 3}]}, 4, ("", "< 3", "4")),
        ({"$unordered": [1, 2]}, [2, 2], ("", "an item 1", "no item is left for it")),
        ({"$unordered": [1]}, "1", ("", "in any order [1]", '"1"')),
        ({"$base64": "AAE="}, b"\x00", ("", '{"$base64": "AAE="}', '{"$base64": "AA=="}')),
        (Given(value={"$any": True}), 5, ("", '{"$any": true}', "5")),
        (Given(value={"a": 1}), {"a": 1, "b": 2}, ("b", "nothing", "2")),
        ({"$in": Given(value=[{"$any": True}])}, 5, ("", 'one of [{"$any": true}]', "5")),
        ({"$contains": Given(value={"$any": True})}, [5], None),
        ({"$unordered": Given(value=[{"$any": True}])}, [5], None),
        ({"$any_of": Given(value=[{"$any": True}])}, 5, None),
        ({"$all_of": Given(value=[{"$any": True}])}, 5, None),
    ],
)
def test_what_is_not_as_expected_is_told_with_its_path(
    expected: object, actual: object, mismatch: tuple[str, str, str] | None
) -> None:
    found = match(expected, actual)
    assert found
    assert not matches(expected, actual)
    if mismatch is not None:
        path, wanted, there = mismatch
        assert found[0] == Mismatch(path=path, expected=wanted, actual=there)


def test_every_difference_is_told() -> None:
    expected = {
        "status": "NOT_FOUND",
        "output": {"id": {"$gt": 7}, "items": [{"sku": "A1", "n": 2}, {"sku": "C3"}]},
        "handled_by": "b",
    }
    assert [each.path for each in match(expected, ANSWER)] == [
        "status",
        "output.id",
        "output.items[0].n",
        "output.items[1].sku",
        "handled_by",
    ]


def test_paths_begin_where_the_answer_stands() -> None:
    assert match({"a": 1}, {}, "output")[0].path == "output.a"


def test_lists_of_different_length_are_still_compared_item_by_item() -> None:
    assert [each.path for each in match([1, 9], [1, 2, 3])] == ["", "[1]"]


def test_more_differences_than_anybody_reads_are_counted() -> None:
    found = match(list(range(1, 201)), [0] * 200)
    assert len(found) == MAX_MISMATCHES + 1
    assert found[-1].actual == "and 150 more"


def test_a_further_key_beside_a_matcher_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'id' stands beside a matcher"):
        match({"$gt": 1, "id": 2}, 5)


def test_a_broken_expression_from_a_case_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is not a regular expression"):
        match({"$regex": "a("}, "a")


def test_what_is_shown_of_an_answer_is_bounded_and_cannot_steer_a_terminal() -> None:
    hostile: dict[str, object] = {"text": "\x1b[2J\u202e\n" + "x" * 1_000_000}
    for _ in range(50):
        hostile = {"k" * 1000: [hostile] * 1000}
    (found,) = match("a", hostile)
    assert len(found.actual) <= MAX_SHOWN + 1
    (found,) = match("a", "\x1b[2J\u202e\n" + "x" * 1_000_000)
    assert found.actual.startswith('"\\u001b[2J\\u202e\\nxxx')
    assert len(found.actual) <= MAX_SHOWN + 1
    assert found.actual.isprintable()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, None, True, 1.5]}, '{"a": [1, null, true, 1.5]}'),
        ({}, "{}"),
        ([[]], "[[]]"),
        ('say "hi" \\ ä', '"say \\"hi\\" \\\\ ä"'),
        (b"\x00", '{"$base64": "AA=="}'),
        (10**40, "a number of 133 bits"),
        ([[[[[[[1]]]]]]], "[[[[[[[…]]]]]]]"),
        (ABSENT, "nothing"),
    ],
)
def test_a_value_is_shown_as_a_line_of_json(value: object, text: str) -> None:
    assert render(value) == text


def test_a_huge_unordered_list_is_not_compared() -> None:
    (found,) = match({"$unordered": [1]}, [1] * 1001)
    assert "1001 items, more than the 1000" in found.actual


ORDERS = [
    {"sku": "A1", "state": "NEW", "lines": [{"n": 1}]},
    {"sku": "B2", "state": "SENT", "lines": [{"n": 2}]},
    {"sku": "C3", "state": "SENT", "lines": []},
]


@pytest.mark.parametrize(
    ("item", "differences"),
    [
        ({"sku": "B2", "state": "NEW"}, [("[0].sku", '"B2"', '"A1"')]),
        (
            {"sku": "B2", "state": "NEW", "lines": [{"n": 2}]},
            [("[1].state", '"NEW"', '"SENT"')],
        ),
        (
            {"lines": {"$len": 0}, "state": "NEW"},
            [("[0].lines", "length 0", 'length 1: [{"n": 1}]')],
        ),
        # Nothing of it is anywhere, so no item is nearer than another.
        ({"sku": "D4", "state": "LOST"}, []),
        ({"sku": "D4"}, []),
        ("B2", []),
    ],
)
def test_of_a_list_without_such_an_item_the_nearest_is_told(
    item: object, differences: list[tuple[str, str, str]]
) -> None:
    _, *found = match({"$contains": item}, ORDERS)
    assert found == [
        Mismatch(path=path, expected=f"{wanted} (in the nearest item)", actual=there)
        for path, wanted, there in differences
    ]


def test_in_any_order_the_nearest_is_one_that_no_other_has_taken() -> None:
    wanted = [{"sku": "A1"}, {"sku": "B2", "state": "NEW"}, {"sku": "C3"}]
    found = [each.path for each in match({"$unordered": wanted}, ORDERS)]
    assert found == ["", "[1].state", "[1]"]
    # Everything that comes near is taken.
    (found_one,) = match({"$unordered": [{"sku": "B2", "state": "NEW"}, *ORDERS]}, ORDERS)
    assert found_one.actual == "no item is left for it"


def test_the_nearest_is_looked_for_and_told_in_bounds() -> None:
    huge = [{"a": n, "b": n, "c": 7} for n in range(100_000)]
    found = match({"$contains": {"a": -1, "b": -1, "c": 7}}, huge)
    assert [each.path for each in found] == ["", "[0].a", "[0].b"]
    wide = [{f"k{n}": 0 for n in range(50)}]
    found = match({"$contains": {f"k{n}": int(n > 0) for n in range(50)}}, wide)
    assert len(found) == 6
