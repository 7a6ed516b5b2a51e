"""Two texts as one document: what is said where stays known."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector_harness.documents import load
from collector_harness.documents.grafting import Graft, Grafted, joined


@pytest.mark.parametrize(
    ("base", "own", "whole"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": None}, {"a": {"x": 1}}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"a": 1}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": 1}, {"a": 1}),
    ],
)
def test_mappings_are_joined_and_anything_else_is_replaced(
    base: object, own: object, whole: object
) -> None:
    assert joined(base, own) == whole


def grafted() -> Grafted:
    """Returns `own.yaml`, in which `part` continues with the `inner` of `base.yaml`."""
    base = load("first: 1\ninner:\n  a: 1\n  b: {c: 2}\n", "base.yaml", folder=Path("/suite/below"))
    own = load("part: {a: 3}\nlast: 4\n", "own.yaml", folder=Path("/suite"))
    return Grafted(
        source=own.source,
        text=own.text,
        value={"part": {"a": 3, "b": {"c": 2}}, "last": 4},
        folder=own.folder,
        own=own,
        grafts=(Graft(at=("part",), document=base, there=("inner",)),),
    )


@pytest.mark.parametrize(
    ("location", "position", "folder"),
    [
        (("part", "a"), "own.yaml:1:11", "/suite"),
        (("part", "b", "c"), "base.yaml:4:10", "/suite/below"),
        (("part", "b", "missing"), "base.yaml:4:3", "/suite/below"),
        (("part", "missing"), "own.yaml:1:1", "/suite"),
        (("last",), "own.yaml:2:7", "/suite"),
    ],
)
def test_each_value_keeps_its_place_and_its_folder(
    location: tuple[str, ...], position: str, folder: str
) -> None:
    document = grafted()
    assert str(document.position(location)) == position
    assert document.folder_of(location) == Path(folder)


def test_the_whole_has_what_either_text_has() -> None:
    document = grafted()
    assert document.has(("part", "b", "c"))
    assert document.has(("last",))
    assert not document.has(("inner",))
    assert not document.has(("part", "c"))


def test_a_key_has_the_line_of_the_text_that_says_it() -> None:
    """`b` is the fourth line of the base, and `last` the second of the text itself."""
    document = grafted()
    assert document.line(("part", "b")) == 4
    assert document.line(("last",)) == 2
