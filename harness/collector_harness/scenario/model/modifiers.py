"""Modifiers: keys that change how or how often a step is done, not what it does.

They apply from the outside in: `when`, `foreach`, `repeat`, `parallel`, then
`eventually` or `never`, then the action, then `expect` and `save`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from collector_harness.documents.validation import Short, StrictModel
from collector_harness.scenario.model.answers import EXPECTED
from collector_harness.scenario.model.terms import DURATION_SCHEMA, Duration
from collector_harness.scenario.values import Template, parse_template

__all__ = [
    "Condition",
    "Eventually",
    "Items",
    "Never",
    "Payload",
    "Poll",
    "Reconsider",
    "TextItems",
]


class Eventually(StrictModel):
    """Do the step again until its expectation is met."""

    within: Duration = Field(description="How long to try before the step fails.")
    backoff: Duration | None = Field(
        default=None,
        description="The pause after the first try; doubles up to a second. 20ms by default.",
    )
    stop_if: dict[str, object] | None = Field(
        default=None,
        description="An answer that ends the tries at once, as a failure.",
        json_schema_extra={"additionalProperties": {**EXPECTED}},
    )


class Never(StrictModel):
    """Do the step again and again for a while: its expectation must not once be met."""

    during: Duration = Field(description="For how long.")
    every: Duration | None = Field(
        default=None, description="The pause between tries. 50ms by default."
    )


def _within(value: object) -> object:
    return {"within": value} if isinstance(value, str) else value


def _during(value: object) -> object:
    return {"during": value} if isinstance(value, str) else value


Reconsider = Annotated[Eventually, BeforeValidator(_within), Short(DURATION_SCHEMA)]
"""`eventually: 3s` is short for `eventually: {within: 3s}`."""
Poll = Annotated[Never, BeforeValidator(_during), Short(DURATION_SCHEMA)]
"""`never: 1s` is short for `never: {during: 1s}`."""

Condition = Annotated[
    dict[str, object],
    Field(min_length=1),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {**EXPECTED},
            "propertyNames": {"pattern": r"\$\{[^{}]+\}"},
            "minProperties": 1,
        }
    ),
]
"""Texts with paths, each with what its value must match."""


def _items(value: object) -> list[object] | Template:
    if isinstance(value, list):
        return value
    if isinstance(value, str) and "${" in value and parse_template(value).whole is not None:
        return parse_template(value)
    raise ValueError('expected a list, or a path to one\nfor example [1, 2] or "${skus}"')


Items = Annotated[
    list[object] | Template,
    PlainValidator(_items),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": True},
                {"type": "string", "pattern": r"^\$\{[^{}]*\}$"},
            ]
        }
    ),
]
"""A list of anything, or a path to one."""


def _text_items(value: object) -> tuple[str, ...] | Template:
    items = _items(value)
    if isinstance(items, Template):
        return items
    wrong = next((item for item in items if not isinstance(item, str)), "")
    if wrong != "":
        raise ValueError(f"expected a list of texts, and '{wrong}' is none\nput it in quotes")
    return tuple(str(item) for item in items)


TextItems = Annotated[
    tuple[str, ...] | Template,
    PlainValidator(_text_items),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}},
                {"type": "string", "pattern": r"^\$\{[^{}]*\}$"},
            ]
        }
    ),
]
"""A list of texts that may hold paths, or a path to a list."""

Payload = Annotated[object, WithJsonSchema({})]
"""Any value; texts in it may hold paths."""
