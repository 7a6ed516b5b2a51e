"""Models forgive nothing, and what they refuse is told in words and with its line."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Discriminator, Field, Strict, StrictBool, Tag

from collector_harness.documents import StrictModel, did_you_mean, load, validate
from collector_harness.errors import InvalidInput


class Square(StrictModel):
    side: int


class Circle(StrictModel):
    radius: int
    colour: Literal["red", "green"] | None = None


def _shape(value: object) -> str:
    return "<square>" if isinstance(value, dict) and "side" in value else "<circle>"


Shape = Annotated[
    Annotated[Square, Tag("<square>")] | Annotated[Circle, Tag("<circle>")], Discriminator(_shape)
]


class Drawing(StrictModel):
    title: str
    visible: StrictBool = True
    shapes: Annotated[tuple[Shape, ...], Strict(False)] = ()
    named: dict[str, Circle] = Field(default_factory=dict)
    first: Circle | None = Field(default=None, alias="first-shape")


def _told(text: str) -> list[tuple[int, int, str, str | None]]:
    with pytest.raises(InvalidInput) as caught:
        validate(Drawing, load(text, "d.yaml"))
    told = []
    for problem in caught.value.problems:
        assert problem.position is not None
        told.append((problem.position.line, problem.position.column, problem.message, problem.hint))
    return told


def test_a_document_becomes_an_instance() -> None:
    drawing = validate(Drawing, load("title: t\nshapes: [{side: 1}, {radius: 2, colour: red}]\n"))
    assert drawing.shapes == (Square(side=1), Circle(radius=2, colour="red"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("titel: a\ntitle: b", (1, 1, "unknown key 'titel'", "did you mean 'title'?")),
        ("visible: true", (1, 1, "the key 'title' is missing", None)),
        ("title: 7", (1, 8, "expected text, not the number 7", None)),
        ("title:", (1, 7, "expected text, not nothing", None)),
        ("title: t\nvisible: yes", (2, 10, "expected true or false, not 'yes'", None)),
        ("title: t\nshapes: round", (2, 9, "expected a list, not 'round'", None)),
        (
            "title: t\nshapes:\n  - {side: 1, sides: 2}",
            (3, 15, "unknown key 'sides'", "did you mean 'side'?"),
        ),
        ("title: t\nshapes: [{side: x}]", (2, 17, "expected a whole number, not 'x'", None)),
        (
            "title: t\nshapes: [{radius: 1.5}]",
            (2, 19, "expected a whole number, not the number 1.5", None),
        ),
        (
            "title: t\nnamed: {a: {radius: 1, color: red}}",
            (2, 24, "unknown key 'color'", "did you mean 'colour'?"),
        ),
        ("title: t\nnamed: {a: {}}", (2, 9, "the key 'radius' is missing", None)),
        (
            "title: t\nfirst-shape: {radius: 1, colour: gren}",
            (2, 34, "'gren' is not one of: red, green", "did you mean 'green'?"),
        ),
        ("title: t\nfirst-shape:", (2, 13, "expected a mapping, not nothing", None)),
        (
            "title: t\nfirst-shap: {radius: 1}",
            (2, 1, "unknown key 'first-shap'", "did you mean 'first-shape'?"),
        ),
        ("[]", (1, 1, "expected a mapping, not a list", None)),
    ],
)
def test_what_a_model_refuses_is_told_in_words_with_its_place(
    text: str, told: tuple[int, int, str, str | None]
) -> None:
    assert _told(text) == [told]


def test_every_problem_is_told_in_the_order_of_the_text() -> None:
    told = _told("shapes: [{side: x}, {sid: 1}]\ntitle: 7\nwhat: 1\n")
    assert [each[:2] for each in told] == [(1, 17), (1, 21), (1, 22), (2, 8), (3, 1)]


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("staus", ["status", "state"], "did you mean 'status'?"),
        ("OK", ["ok"], "did you mean 'ok'?"),
        ("zebra", ["status", "state"], "there are: status, state"),
        ("zebra", [], None),
        ("x" * 20, [f"name{n}" for n in range(14)], "and 2 more"),
    ],
)
def test_a_hint_names_the_closest_or_lists_what_there_is(
    word: str, known: list[str], hint: str | None
) -> None:
    told = did_you_mean(word, known, what="there are")
    assert told == hint or (hint is not None and told is not None and told.endswith(hint))
