"""Steps that other packages bring, as models like those of the language itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator
from pydantic import create_model as create

from collector_harness.plugins import Found, StepKind
from collector_harness.scenario.model.answers import answer_schema
from collector_harness.scenario.model.base import AnsweringStep, Expectation
from collector_harness.scenario.model.terms import Duration

__all__ = ["PluginStep", "Written", "step_class"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """The arguments of a step as they are written, with their paths."""

    value: object


class PluginStep(AnsweringStep):
    """A step that a package brings."""

    kind: ClassVar[StepKind]
    """What the package says of it."""
    package: ClassVar[str]
    deadline: Duration | None = Field(default=None, description="The limit of the step.")


def step_class(found: Found[StepKind]) -> type[PluginStep]:
    """Returns the model of a step that a package brings."""
    kind = found.kind
    assert kind is not None
    fields: dict[str, Any] = {
        "arguments": (
            Annotated[kind.arguments, WrapValidator(_written(kind.arguments))],
            Field(alias=found.name, description=kind.description),
        ),
        "expect": (
            Annotated[Expectation, WithJsonSchema(answer_schema(kind.answers, aggregate=True))]
            | None,
            Field(default=None, description="What the answer must be."),
        ),
    }
    model = create(f"{found.name}_step", __base__=PluginStep, __doc__=kind.description, **fields)
    model.action = found.name
    model.kind = kind
    model.package = found.package
    return model


def _written(arguments: type[BaseModel]) -> Any:
    def written(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        if not _has_path(value):
            handler(value)
        elif isinstance(value, Mapping):
            known = {field.alias or name for name, field in arguments.model_fields.items()}
            for key in value:
                if key not in known:
                    raise ValueError(
                        f"unknown key '{key}'\nthe keys are: {', '.join(sorted(known))}"
                    )
        return Written(value=value)

    return written


def _has_path(value: object) -> bool:
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, Mapping):
        return any(_has_path(item) for pair in value.items() for item in pair)
    return isinstance(value, list) and any(map(_has_path, value))
