"""Steps that hold steps, and the union of all kinds.

Each step has exactly one action, which says what it does; the union `Step` chooses the
class by the action that stands in the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Union

from pydantic import BeforeValidator, Discriminator, Field, Strict, Tag

from collector_harness.documents.suggestions import did_you_mean
from collector_harness.plugins import installed_steps
from collector_harness.scenario.model.base import StepBase
from collector_harness.scenario.model.calls import (
    CallStep,
    ConnectStep,
    DispatchStep,
    ListStep,
    LookupStep,
    Observation,
    ObserveStep,
    RegisterStep,
    RoutesStep,
    ServeStep,
    ValidateStep,
)
from collector_harness.scenario.model.faults import Fault
from collector_harness.scenario.model.lives import StartStep, StopStep
from collector_harness.scenario.model.modifiers import Condition, Reconsider
from collector_harness.scenario.model.plugin_steps import step_class
from collector_harness.scenario.model.systems import HttpStep, SqlStep, StreamStep
from collector_harness.scenario.model.tcp import TcpStep
from collector_harness.scenario.model.terms import ReplyPath, Text

__all__ = [
    "ACTIONS",
    "BlockStep",
    "CheckStep",
    "FaultStep",
    "MeasureStep",
    "Step",
    "Steps",
    "TogetherStep",
    "UseStep",
    "actions_in",
    "clashes",
]


class CheckStep(StepBase):
    """Compare values that are already known."""

    action: ClassVar[str] = "check"
    conditions: Condition = Field(
        alias="check", description="Texts with paths, each with what its value must match."
    )


class BlockStep(StepBase):
    """Do steps one after the other."""

    action: ClassVar[str] = "steps"
    steps: Steps = Field(description="The steps.")
    eventually: Reconsider | None = Field(
        default=None, description="Do all of them again until they pass."
    )


class TogetherStep(StepBase):
    """Do different steps all at once."""

    action: ClassVar[str] = "together"
    steps: Steps = Field(alias="together", description="The steps.")


class MeasureStep(StepBase):
    """Do steps, and look at what the counters of a node grew by meanwhile."""

    action: ClassVar[str] = "measure"
    node: Text = Field(alias="measure", description="The node whose counters are compared.")
    steps: Steps = Field(description="The steps.")
    expect: Observation | None = Field(
        default=None, description="What the counters must have grown by."
    )
    save: dict[str, ReplyPath] | None = Field(
        default=None, description="Names, each with the counter whose growth to keep under it."
    )


class FaultStep(StepBase):
    """Break something while steps are done; it is always healed afterwards."""

    action: ClassVar[str] = "fault"
    fault: Fault = Field(description="What to break.")
    steps: Steps = Field(description="The steps that are done meanwhile.")


class UseStep(StepBase):
    """Do named steps from `definitions`, here or in another file."""

    action: ClassVar[str] = "use"
    definition: Text = Field(
        alias="use", description="A name in definitions, or other.scenario.yaml#name."
    )
    parameters: dict[str, object] = Field(
        default_factory=dict,
        alias="with",
        description="Values for its parameters, as ${with.name}.",
    )


_CLASSES: tuple[type[StepBase], ...] = (
    DispatchStep,
    ServeStep,
    ConnectStep,
    RegisterStep,
    ValidateStep,
    LookupStep,
    ListStep,
    CallStep,
    ObserveStep,
    MeasureStep,
    RoutesStep,
    TcpStep,
    StopStep,
    StartStep,
    CheckStep,
    TogetherStep,
    FaultStep,
    UseStep,
    StreamStep,
    HttpStep,
    SqlStep,
    BlockStep,
)

_BUILT_IN = {kind.action: kind for kind in _CLASSES}
_RESERVED = {field.alias or name for kind in _CLASSES for name, field in kind.model_fields.items()}
_INSTALLED = {
    found.name: step_class(found)
    for found in installed_steps()
    if found.kind is not None and found.name not in {*_BUILT_IN, *_RESERVED}
}

ACTIONS: Mapping[str, type[StepBase]] = {**_INSTALLED, **_BUILT_IN}
"""Every action, with its class. `steps` comes last, as it is also a part of other actions."""

_TAGS = {action: f"<{action}>" for action in ACTIONS}


def actions_in(step: Mapping[str, object]) -> list[str]:
    """Returns the actions that a step has, as written; a good step has exactly one."""
    found = [key for key in step if key in ACTIONS]
    return [key for key in found if key != "steps"] if len(found) > 1 else found


def _tag(value: object) -> str | None:
    """Returns the tag of a step that `_has_one_action` has let through."""
    if isinstance(value, StepBase):
        return _TAGS[value.action]
    return _TAGS[actions_in(value)[0]] if isinstance(value, dict) else None


def _has_one_action(value: object) -> object:
    if not isinstance(value, dict):
        if isinstance(value, StepBase):
            return value
        raise ValueError("a step is a mapping with an action\nfor example `- dispatch: ...`")
    found = actions_in(value)
    if len(found) == 1:
        return value
    if found:
        raise ValueError(
            f"a step does one thing, but this one has {len(found)} actions: {', '.join(found)}\n"
            "make each of them a step of its own"
        )
    known = _RESERVED
    for key in value:
        for broken in installed_steps():
            if broken.name == key and broken.kind is None:
                raise ValueError(
                    f"the step '{key}' of the package {broken.package} cannot be used: "
                    f"{broken.fault}\nrepair or uninstall {broken.package.partition(' ')[0]}"
                )
        hint = did_you_mean(key, ACTIONS, what="the actions are") if key not in known else None
        if hint is not None and hint.startswith("did"):
            raise ValueError(f"this step has no action, but an unknown key '{key}'\n{hint}")
    raise ValueError(f"this step has no action\nthe actions are: {', '.join(ACTIONS)}")


Step = Annotated[
    Annotated[DispatchStep, Tag("<dispatch>")]
    | Annotated[ServeStep, Tag("<serve>")]
    | Annotated[ConnectStep, Tag("<connect>")]
    | Annotated[RegisterStep, Tag("<register>")]
    | Annotated[ValidateStep, Tag("<validate>")]
    | Annotated[LookupStep, Tag("<lookup>")]
    | Annotated[ListStep, Tag("<list>")]
    | Annotated[CallStep, Tag("<call>")]
    | Annotated[ObserveStep, Tag("<observe>")]
    | Annotated[MeasureStep, Tag("<measure>")]
    | Annotated[RoutesStep, Tag("<routes>")]
    | Annotated[TcpStep, Tag("<tcp>")]
    | Annotated[StopStep, Tag("<stop>")]
    | Annotated[StartStep, Tag("<start>")]
    | Annotated[CheckStep, Tag("<check>")]
    | Annotated[TogetherStep, Tag("<together>")]
    | Annotated[FaultStep, Tag("<fault>")]
    | Annotated[UseStep, Tag("<use>")]
    | Annotated[StreamStep, Tag("<stream>")]
    | Annotated[HttpStep, Tag("<http>")]
    | Annotated[SqlStep, Tag("<sql>")]
    | Annotated[BlockStep, Tag("<steps>")],
    Discriminator(_tag),
    BeforeValidator(_has_one_action),
]
"""A step of any kind."""

if not TYPE_CHECKING and _INSTALLED:
    Step = Annotated[
        Union[tuple(Annotated[kind, Tag(_TAGS[kind.action])] for kind in ACTIONS.values())],  # noqa: UP007 - made at run time
        Discriminator(_tag),
        BeforeValidator(_has_one_action),
    ]


def clashes() -> list[str]:
    """Returns what is wrong with the names of steps that packages bring."""
    found: dict[str, str] = {}
    told: list[str] = []
    for each in installed_steps():
        if each.name in {*_BUILT_IN, *_RESERVED}:
            told.append(
                f"the package {each.package} brings a step '{each.name}', which is a word of the "
                "language itself"
            )
        elif each.name in found:
            told.append(
                f"the packages {found[each.name]} and {each.package} both bring a step "
                f"'{each.name}'"
            )
        found[each.name] = each.package
    return told


def _not_empty(value: object) -> object:
    # A limit on the length would count only steps without problems.
    if value == []:
        raise ValueError("there are no steps\nadd one, or drop the key")
    return value


Steps = Annotated[
    tuple[Step, ...],
    Strict(False),
    BeforeValidator(_not_empty),
    Field(json_schema_extra={"minItems": 1}),
]
"""Steps, in order; at least one."""
