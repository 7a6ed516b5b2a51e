"""Models that forgive nothing, and pydantic's findings told as problems with a line.

What is checked here is the shape of one value against its model; what values mean to
each other is for the owners of the models.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, Union

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails

from collector_harness.documents.document import Document
from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import InvalidInput, Position, Problem

__all__ = ["Short", "StrictModel", "UnknownKey", "problems_of", "validate"]


class StrictModel(BaseModel):
    """The base of every model of a text: frozen, no unknown keys, no conversions.

    Members of a tagged union have a tag in angle brackets, such as `<dispatch>`, which
    cannot be mistaken for a key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler, /
    ) -> CoreSchema:
        """Makes `key:` without a value an error: None only says that a key is left out."""
        schema = handler(source)
        inner: Any = schema
        while inner.get("type") != "model-fields" and "schema" in inner:
            inner = inner["schema"]
        for field in inner.get("fields", {}).values():
            outer = field["schema"]
            if outer.get("type") == "default" and outer["schema"].get("type") == "nullable":
                outer["schema"] = outer["schema"]["schema"]
        return schema


@dataclass(frozen=True, slots=True, eq=False)
class Short:
    """Marks a type whose values may also be written shorter, for its JSON Schema.

    Goes last into an `Annotated` whose `BeforeValidator` reads the short form.
    """

    schema: Mapping[str, Any]
    """The JSON Schema of the short form."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> JsonSchemaValue:
        return {"anyOf": [dict(self.schema), handler(core_schema)]}


@dataclass(frozen=True, kw_only=True, slots=True)
class UnknownKey(Problem):
    """A key that there is not. What is missing beside it may be what it was meant to be."""

    within: Position
    """Where the mapping with the key begins."""


M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], document: Document) -> M:
    """Returns `document` as an instance of `model`.

    Raises `InvalidInput` with every problem, each at the line that it is about.
    """
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        problems = problems_of(error, model, document)
    raise InvalidInput(problems)


def problems_of(
    error: ValidationError, model: type[BaseModel], document: Document
) -> list[Problem]:
    """Returns what pydantic found as problems, in the order of the document."""
    details = error.errors(include_url=False, include_context=True)
    found = [_problem(detail, model, document) for detail in details]
    return sorted(found, key=_order)


def _order(problem: Problem) -> tuple[int, int]:
    assert problem.position is not None
    return problem.position.line, problem.position.column


def _problem(detail: ErrorDetails, model: type[BaseModel], document: Document) -> Problem:
    written = [step for step in detail["loc"] if not _is_tag(step)]
    kind = detail["type"]
    if kind == "extra_forbidden":
        name = str(written[-1])
        return UnknownKey(
            message=f"unknown key '{name}'",
            position=document.position(written, key=True),
            within=document.position(written[:-1]),
            hint=did_you_mean(name, _keys_at(model, detail["loc"][:-1]), what="the keys are"),
        )
    if kind == "missing":
        return Problem(
            message=f"the key '{written[-1]}' is missing",
            position=document.position(written[:-1], key=len(written) > 1),
        )
    message, _, hint = _told(detail).partition("\n")
    position = document.position(written)
    return Problem(message=message, position=position, hint=hint or None)


_EXPECTED: Mapping[str, str] = {
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "none_required": "expected nothing",
}


def _told(detail: ErrorDetails) -> str:
    kind, value = detail["type"], detail["input"]
    if kind in _EXPECTED:
        dashes = _EXPECTED[kind] == "expected a list" and isinstance(value, dict)
        remedy = "\nbegin each item with '- '" if dashes else ""
        return f"{_EXPECTED[kind]}, not {_describe(value)}{remedy}"
    context = detail.get("ctx") or {}
    if kind == "value_error":
        return str(context.get("error", detail["msg"]))
    if kind == "literal_error":
        expected = str(context.get("expected", ""))
        choices = [choice.strip("'") for choice in re.split(", | or ", expected)]
        told = f"{_describe(value)} is not one of: {', '.join(choices)}"
        hint = did_you_mean(value, choices, what="choose from") if isinstance(value, str) else None
        return f"{told}\n{hint}" if hint and hint.startswith("did") else told
    if kind in ("too_short", "string_too_short"):
        return "this must not be empty"
    message = detail["msg"]
    return message[:1].lower() + message[1:]


def _describe(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        shown = value if len(value) <= 60 else value[:57] + "..."
        return f"'{shown}'"
    return "a mapping" if isinstance(value, dict) else "a list"


def _is_tag(step: str | int) -> bool:
    return isinstance(step, str) and step.startswith("<") and step.endswith(">")


def _keys_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Returns the keys of the model that `location` leads to from `model`."""
    kind: object = model
    for step in location:
        kind = _below(kind, step)
    for alternative in _alternatives(kind):
        if _is_model(alternative):
            return [field.alias or name for name, field in alternative.model_fields.items()]
    return []


def _below(kind: object, step: str | int) -> object:
    for alternative in _alternatives(kind, tag=step if _is_tag(step) else None):
        if _is_tag(step):
            return alternative
        if _is_model(alternative):
            for name, field in alternative.model_fields.items():
                if step == (field.alias or name):
                    return field.annotation
        elif typing.get_args(alternative):
            arguments = [item for item in typing.get_args(alternative) if item is not Ellipsis]
            return arguments[-1]
    return None


def _is_model(kind: object) -> typing.TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _alternatives(kind: object, tag: object = None) -> Iterator[object]:
    """Yields what `kind` stands for: itself, or the members of its union (with that tag)."""
    if isinstance(kind, typing.TypeAliasType if hasattr(typing, "TypeAliasType") else ()):
        yield from _alternatives(kind.__value__, tag)
        return
    origin = typing.get_origin(kind)
    if origin is Annotated:
        inner, *metadata = typing.get_args(kind)
        tags = [item.tag for item in metadata if isinstance(item, Tag)]
        if tag is None or not tags or tag in tags:
            yield from _alternatives(inner, None if tag in tags else tag)
    elif origin in (Union, types.UnionType):
        for member in typing.get_args(kind):
            if member is not type(None):
                yield from _alternatives(member, tag)
    elif tag is None:
        yield kind
