"""What steps have in common: their modifiers, and for most an answer."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import Field, PlainValidator, Strict, WithJsonSchema

from collector_harness.documents.validation import StrictModel
from collector_harness.scenario.model.modifiers import Condition, Items, Poll, Reconsider
from collector_harness.scenario.model.terms import Count, ReplyPath, Text

__all__ = ["AnsweringStep", "Expectation", "Metadata", "StepBase", "Texts"]

Expectation = dict[str, object]
"""What an answer must be: its fields, each with a value or matchers."""

Texts = Annotated[tuple[Text, ...], Strict(False)]

_HEADER = re.compile(r"[0-9a-z_.-]+")


def _metadata(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("expected a mapping of keys to texts")  # noqa: TRY004 - pydantic's way
    for key, item in value.items():
        if _HEADER.fullmatch(key) is None:
            raise ValueError(f"'{key}' cannot be a key of metadata\nuse a-z, 0-9 and _ . - only")
        binary = key.endswith("-bin")
        for text in item if isinstance(item, list) else [item]:
            if isinstance(text, dict) and set(text) == {"$base64"} and binary:
                continue
            if not isinstance(text, str) or (binary and "${" not in text):
                kind = "bytes" if binary else "text"
                hint = "write {$base64: ...}" if binary else "put it in quotes"
                raise ValueError(f"the metadata '{key}' needs {kind}\n{hint}")
    return value


_BYTES = {
    "type": "object",
    "properties": {"$base64": {"type": "string", "description": "Bytes, in base64."}},
    "required": ["$base64"],
    "additionalProperties": False,
}

Metadata = Annotated[
    dict[str, object],
    PlainValidator(_metadata),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": f"^{_HEADER.pattern}$"},
            "additionalProperties": {
                "anyOf": [
                    {"type": "string"},
                    _BYTES,
                    {"type": "array", "items": {"anyOf": [{"type": "string"}, _BYTES]}},
                ]
            },
        }
    ),
]
"""Keys with a text, a list of texts, or `{$base64: ...}` for a key that ends in `-bin`."""


class StepBase(StrictModel):
    """What every step may have."""

    action: ClassVar[str] = ""
    """The key that makes it this kind of step."""

    name: Text | None = Field(default=None, description="What reports call the step.")
    when: Condition | None = Field(
        default=None,
        description="Do the step only where these hold: texts with paths, each with a matcher.",
    )
    foreach: Items | None = Field(
        default=None, description="Do the step once per item; it is ${item}, its number ${index}."
    )
    repeat: Count | None = Field(
        default=None, description="Do the step so many times, one after the other."
    )
    parallel: Count | None = Field(
        default=None, description="Do the step so many times, all at once."
    )


class AnsweringStep(StepBase):
    """A step that gets an answer."""

    expect: Expectation | None = Field(default=None, description="What the answer must be.")
    save: dict[str, ReplyPath] | None = Field(
        default=None, description="Names, each with the part of the answer to keep under it."
    )
    eventually: Reconsider | None = Field(
        default=None, description="Do it again until the expectation is met."
    )
    never: Poll | None = Field(
        default=None, description="Do it again for a while: the expectation must not once be met."
    )
