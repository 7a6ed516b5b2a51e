"""Values that are made when they are read cannot be told from such that were there before."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import dataclass

import pytest

from collector_harness.late import late_field, later


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A value with fields of both kinds."""

    to: str
    text: object = late_field()
    stamps: tuple[int, ...] = late_field((1,))


def one_of(made: list[str]) -> Letter:
    """A letter that notes each time that its text is made."""

    def text() -> object:
        made.append("text")
        return {"dear": "Ada"}

    return Letter(to="Ada", text=later(text))


def test_a_value_is_made_when_it_is_first_read_and_only_then() -> None:
    """What nobody reads costs nothing, and what many read costs as much as one."""
    made: list[str] = []
    letter = one_of(made)
    assert made == []
    assert letter.text == {"dear": "Ada"}
    assert letter.text is letter.text
    assert made == ["text"]


def test_a_field_takes_values_that_are_there_and_has_its_default() -> None:
    """Nobody has to wait with a value."""
    assert Letter(to="Ada", text=7) == Letter(to="Ada", text=7, stamps=(1,))
    assert Letter(to="Ada", text=later(lambda: 7)) == Letter(to="Ada", text=7)


def test_a_field_without_a_default_must_be_given() -> None:
    """As any other field of a dataclass must."""
    with pytest.raises(TypeError, match="text"):
        Letter(to="Ada")
    required = [
        each.name for each in dataclasses.fields(Letter) if each.default is dataclasses.MISSING
    ]
    assert required == ["to", "text"]


def test_a_field_cannot_be_set_again() -> None:
    """The value is frozen as every other."""
    letter = one_of([])
    with pytest.raises(dataclasses.FrozenInstanceError):
        letter.text = "other"  # type: ignore[misc]


def test_what_is_made_of_a_value_holds_what_was_made() -> None:
    """Copies, mappings and other processes get plain values."""
    expected = Letter(to="Ada", text={"dear": "Ada"})
    assert dataclasses.asdict(one_of([])) == {
        "to": "Ada",
        "text": {"dear": "Ada"},
        "stamps": (1,),
    }
    assert dataclasses.replace(one_of([]), to="Bob").text == {"dear": "Ada"}
    assert pickle.loads(pickle.dumps(one_of([]))) == expected
    assert copy.deepcopy(one_of([])) == expected
    assert copy.copy(one_of([])) == expected
    assert repr(one_of([])) == repr(expected)
