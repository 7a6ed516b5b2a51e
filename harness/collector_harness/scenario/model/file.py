"""A scenario file as a whole: its steps, and what they run among."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    Strict,
    StringConstraints,
    WithJsonSchema,
)

from collector_harness.declared import CAPABILITIES
from collector_harness.documents.suggestions import did_you_mean
from collector_harness.documents.validation import Short, StrictModel
from collector_harness.scenario.model.base import Metadata
from collector_harness.scenario.model.peers import WrittenPeer
from collector_harness.scenario.model.steps import Steps
from collector_harness.scenario.model.terms import Duration, Text
from collector_harness.topology.service_spec import ServiceSpec as Service
from collector_harness.topology.spec import TopologySpec
from collector_harness.topology.terms import FILE, Name

__all__ = [
    "Defaults",
    "Definition",
    "Isolation",
    "ScenarioFile",
    "Secret",
    "Service",
]

Isolation = Literal["case", "shared", "fresh"]
"""How far cases of equal topology keep apart: `case`, one at a time on a mesh that is put
back to its start in between; `shared`, all at once on one mesh that is never put back;
`fresh`, each on a mesh started for it alone."""

_REQUIREMENT = re.compile(r"[A-Z]+-[0-9]{3}")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def _requirement(value: object) -> str:
    if isinstance(value, str) and _REQUIREMENT.fullmatch(value):
        return value
    raise ValueError(f"'{value}' is not the id of a requirement\nwrite for example DSP-004")


def _tag(value: object) -> str:
    if isinstance(value, str) and _TAG.fullmatch(value):
        return value
    raise ValueError(f"'{value}' is not a tag\nuse letters, digits and _ . - only")


def _capability(value: object) -> str:
    if isinstance(value, str) and value in CAPABILITIES:
        return value
    hint = did_you_mean(str(value), CAPABILITIES, what="the capabilities are")
    raise ValueError(f"there is no capability '{value}'\n{hint}")


Capability = Annotated[
    str,
    PlainValidator(_capability),
    WithJsonSchema({"type": "string", "enum": sorted(CAPABILITIES)}),
]
Requirement = Annotated[
    str,
    PlainValidator(_requirement),
    WithJsonSchema({"type": "string", "pattern": f"^{_REQUIREMENT.pattern}$"}),
]
Tag = Annotated[
    str, PlainValidator(_tag), WithJsonSchema({"type": "string", "pattern": f"^{_TAG.pattern}$"})
]


class Defaults(StrictModel):
    """What a step takes over where it says nothing itself."""

    via: Text | None = Field(default=None, description="The node to call.")
    deadline: Duration | None = Field(
        default=None, description="The deadline of each call. 5s by default."
    )
    metadata: Metadata | None = Field(
        default=None, description="Metadata to send; a step's own keys win."
    )


class Definition(StrictModel):
    """Steps with a name, for `use`."""

    description: str | None = Field(default=None, description="What they are for.")
    parameters: dict[str, object] = Field(
        default_factory=dict, description="Names with default values; null must be given."
    )
    steps: Steps = Field(description="The steps.")


class Secret(StrictModel):
    """A value that no output shows."""

    env: str = Field(description="The environment variable that holds it.")


def _version(value: object) -> object:
    """Refuses `true`, which Python takes for 1."""
    return "true" if value is True else value


def _secret(value: object) -> object:
    return {"env": value} if isinstance(value, str) else value


Row = dict[str, object]


class ScenarioFile(StrictModel):
    """A `*.scenario.yaml` file."""

    version: Annotated[Literal[1], BeforeValidator(_version)] = Field(
        description="The version of the language: 1."
    )
    scenario: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="What is true when it passes."
    )
    description: str | None = Field(default=None, description="More about it.")
    requirements: Annotated[tuple[Requirement, ...], Strict(False)] = Field(
        default=(), description="Ids of the requirements that it proves, such as DSP-004."
    )
    needs: Annotated[tuple[Capability, ...], Strict(False)] = Field(
        default=(),
        description="What the collector under test must be able to do beside the protocol's core, "
        "such as tls: without it, nothing is known about the requirements.",
    )
    tags: Annotated[tuple[Tag, ...], Strict(False)] = Field(
        default=(), description="Words to select it by."
    )
    isolation: Isolation = Field(
        default="case",
        description="Whether its cases get the mesh one at a time, share it, or get a fresh one.",
    )
    timeout: Duration | None = Field(
        default=None, description="The limit of each case. 60s by default."
    )
    defaults: Defaults = Field(
        default_factory=Defaults, description="What steps have that do not say otherwise."
    )
    topology: Annotated[TopologySpec, Short({"type": "string", "pattern": FILE})] = Field(
        description="The collectors and the links between them, or the file that says it."
    )
    services: dict[Name, Service] = Field(
        default_factory=dict, description="Services beside the collectors."
    )
    peers: dict[Name, WrittenPeer] = Field(
        default_factory=dict, description="Collectors that the harness plays itself."
    )
    secrets: dict[str, Annotated[Secret, BeforeValidator(_secret), Short({"type": "string"})]] = (
        Field(default_factory=dict, description="Values from the environment that are masked.")
    )
    definitions: dict[str, Definition] = Field(
        default_factory=dict, description="Named steps, for `use`."
    )
    cases: dict[str, Row] = Field(
        default_factory=dict,
        description="Rows of values, by name: the steps run once for each. At least one.",
        json_schema_extra={"minProperties": 1},
    )
    before: Steps | None = Field(default=None, description="Steps that run first in every case.")
    steps: Steps = Field(description="The steps.")
    after: Steps | None = Field(
        default=None, description="Steps that run last in every case, also when others failed."
    )
