"""Steps: each has exactly one action, which says what it does, and modifiers.

One class per action, with the keys that belong to it; the union `Step` chooses by the
action that stands in the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Strict,
    Tag,
    WithJsonSchema,
    model_validator,
)

from collector_harness.documents.suggestions import did_you_mean
from collector_harness.documents.validation import StrictModel
from collector_harness.scenario.model.answers import (
    CALL,
    HTTP,
    OBSERVATION,
    SQL,
    STREAM,
    answer_schema,
)
from collector_harness.scenario.model.faults import Fault
from collector_harness.scenario.model.modifiers import Condition, Items, Payload, Poll, Reconsider
from collector_harness.scenario.model.terms import (
    Count,
    Duration,
    MethodTerm,
    ReplyPath,
    RpcName,
    ServiceTerm,
    Text,
)

__all__ = [
    "ACTIONS",
    "AnsweringStep",
    "BlockStep",
    "CallStep",
    "CheckStep",
    "ConnectStep",
    "Connection",
    "DispatchStep",
    "FaultStep",
    "HttpRequest",
    "HttpStep",
    "Line",
    "ListStep",
    "LookupStep",
    "MeasureStep",
    "ObserveStep",
    "RegisterStep",
    "Registration",
    "RpcStep",
    "ServeStep",
    "SqlStep",
    "Step",
    "StepBase",
    "Steps",
    "StreamStep",
    "TogetherStep",
    "UseStep",
    "ValidateStep",
    "actions_in",
]

Expectation = dict[str, object]
Texts = Annotated[tuple[Text, ...], Strict(False)]
Metadata = Annotated[
    dict[str, object],
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    {"type": "string"},
                    {"type": "array", "items": {"type": "string"}},
                    {
                        "type": "object",
                        "properties": {"$base64": {"type": "string"}},
                        "required": ["$base64"],
                        "additionalProperties": False,
                    },
                ]
            },
        }
    ),
]
"""Keys with a text, a list of texts, or `{$base64: ...}` for a key that ends in `-bin`."""

CallExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(CALL, aggregate=True))]
StreamExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(STREAM, aggregate=True))]
HttpExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(HTTP, aggregate=True))]
SqlExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(SQL, aggregate=True))]
Observation = Annotated[Expectation, WithJsonSchema(answer_schema(OBSERVATION))]


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


class RpcStep(AnsweringStep):
    """A step that makes one call to one node."""

    via: Text | None = Field(
        default=None, description="The node to call; not needed where there is only one."
    )
    metadata: Metadata | None = Field(default=None, description="Metadata to send.")
    deadline: Duration | None = Field(
        default=None, description="The deadline of the call. 5s by default."
    )
    expect: CallExpectation | None = Field(default=None, description="What the answer must be.")


class Line(StrictModel):
    """One line of a stream's script: exactly one of its keys."""

    send: Payload = Field(default=None, description="A message to send.")
    receive: Payload = Field(default=None, description="What the next message must match.")
    headers: dict[str, object] | None = Field(
        default=None, description="What the initial metadata must match."
    )
    half_close: Literal[True] | None = Field(default=None, description="Send nothing more.")
    cancel: Literal[True] | None = Field(default=None, description="Cancel the call.")
    within: Duration | None = Field(default=None, description="How long to wait for it.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        done = self.model_fields_set - {"within"}
        if len(done) != 1:
            raise ValueError(
                "a line of a script does exactly one thing\n"
                "write send, receive, headers, half_close or cancel"
            )
        return self


class DispatchStep(RpcStep):
    """Ask a node to route a call."""

    action: ClassVar[str] = "dispatch"
    method: MethodTerm = Field(alias="dispatch", description="The method to dispatch to.")
    input: Payload = Field(default=None, description="The payload.")
    target: Text | None = Field(
        default=None, description="The collector that must execute the call; automatic without."
    )
    hints: dict[str, Text] | None = Field(default=None, description="Routing hints.")


class ServeStep(RpcStep):
    """Ask a node to execute a call itself."""

    action: ClassVar[str] = "serve"
    method: MethodTerm = Field(alias="serve", description="The method to execute.")
    input: Payload = Field(default=None, description="The payload.")
    context: dict[str, Text] | None = Field(default=None, description="The execution context.")


class Connection(StrictModel):
    """The peer that asks for a connection."""

    node: Text | None = Field(
        default=None, description="A node: its id, address and namespaces are the defaults."
    )
    collector_id: Text | None = Field(default=None, description="The id that the request carries.")
    address: Text | None = Field(default=None, description="The address that it carries.")
    namespaces: Texts | None = Field(default=None, description="The namespaces that it carries.")


def _connection(value: object) -> object:
    return {"node": value} if isinstance(value, str) else value


class ConnectStep(RpcStep):
    """Ask a node to connect with a peer."""

    action: ClassVar[str] = "connect"
    peer: Annotated[
        Connection, BeforeValidator(_connection, json_schema_input_type=Text | Connection)
    ] = Field(alias="connect", description="The peer: a node, or what the request carries.")


class Registration(StrictModel):
    """What to put into a registry: a service, or the file of a proto."""

    namespace: Text | None = Field(default=None, description="The namespace; null leaves it unset.")
    service: Text | None = Field(default=None, description="The name of the service.")
    methods: Annotated[tuple[Payload, ...], Strict(False)] | None = Field(
        default=None,
        description="Its methods: names, or mappings of a MethodDescriptorProto.",
    )
    descriptor: dict[str, object] | None = Field(
        default=None, description="A whole ServiceDescriptorProto, instead of service and methods."
    )
    proto: dict[str, object] | None = Field(
        default=None, description="A FileDescriptorProto: registers a proto, not a service."
    )


class RegisterStep(RpcStep):
    """Register a service or a proto in the registry of a node."""

    action: ClassVar[str] = "register"
    record: Registration = Field(alias="register", description="What to register.")


class ValidateStep(RpcStep):
    """Ask the registry of a node whether a method is valid."""

    action: ClassVar[str] = "validate"
    method: MethodTerm = Field(alias="validate", description="The method to ask about.")


class LookupStep(RpcStep):
    """Look a service up in the registry of a node."""

    action: ClassVar[str] = "lookup"
    service: ServiceTerm = Field(alias="lookup", description="The service to look up.")


class ListStep(RpcStep):
    """List the services in the registry of a node."""

    action: ClassVar[str] = "list"
    namespace: Text = Field(alias="list", description='The namespace to list; "" lists all.')


class CallStep(RpcStep):
    """Call any unary RPC by its full name."""

    action: ClassVar[str] = "call"
    rpc: RpcName = Field(alias="call", description="The RPC, as package.Service/Method.")
    input: Payload = Field(
        default=None, description="The request as JSON values, or {$base64: ...} for raw bytes."
    )


class ObserveStep(AnsweringStep):
    """Look at the counters of a node."""

    action: ClassVar[str] = "observe"
    node: Text = Field(alias="observe", description="The node to look at.")
    expect: Observation | None = Field(default=None, description="What the counters must be.")


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


class StreamStep(AnsweringStep):
    """Call a streaming RPC by a script."""

    action: ClassVar[str] = "stream"
    rpc: RpcName = Field(alias="stream", description="The RPC, as package.Service/Method.")
    script: Annotated[tuple[Line, ...], Strict(False)] = Field(
        description="What to send and what to expect, in order."
    )
    via: Text | None = Field(default=None, description="The node to call.")
    metadata: Metadata | None = Field(default=None, description="Metadata to send.")
    deadline: Duration | None = Field(default=None, description="The deadline of the call.")
    expect: StreamExpectation | None = Field(
        default=None, description="What the whole answer must be."
    )


class HttpRequest(StrictModel):
    """An HTTP request, spelt out."""

    method: Text = Field(description="GET, POST and so on.")
    path: Text = Field(description="The path, such as /orders/1.")
    query: dict[str, Text] | None = Field(default=None, description="The query parameters.")


def _request(value: object) -> object:
    if not isinstance(value, str):
        return value
    method, _, path = value.partition(" ")
    if not method.isupper() or not path.startswith(("/", "${")):
        raise ValueError(f"'{value}' is not a request\nwrite for example GET /orders/1")
    return {"method": method, "path": path}


class HttpStep(AnsweringStep):
    """Make an HTTP request to a service."""

    action: ClassVar[str] = "http"
    request: Annotated[
        HttpRequest, BeforeValidator(_request, json_schema_input_type=Text | HttpRequest)
    ] = Field(alias="http", description="The request, such as GET /orders/1.")
    via: Text | None = Field(default=None, description="The service to ask.")
    headers: dict[str, Text] | None = Field(default=None, description="Headers to send.")
    input: Payload = Field(default=None, description="The body, sent as JSON.")
    deadline: Duration | None = Field(default=None, description="The limit of the request.")
    expect: HttpExpectation | None = Field(default=None, description="What the answer must be.")


class SqlStep(AnsweringStep):
    """Ask a database."""

    action: ClassVar[str] = "sql"
    query: Text = Field(alias="sql", description="The statement, with :name for parameters.")
    via: Text | None = Field(default=None, description="The service whose database is asked.")
    parameters: dict[str, object] | None = Field(default=None, description="Its parameters.")
    deadline: Duration | None = Field(default=None, description="The limit of the statement.")
    expect: SqlExpectation | None = Field(default=None, description="What the answer must be.")


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
    CheckStep,
    TogetherStep,
    FaultStep,
    UseStep,
    StreamStep,
    HttpStep,
    SqlStep,
    BlockStep,
)

ACTIONS: Mapping[str, type[StepBase]] = {kind.action: kind for kind in _CLASSES}
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
    known = {field.alias or name for kind in _CLASSES for name, field in kind.model_fields.items()}
    for key in value:
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

Steps = Annotated[tuple[Step, ...], Strict(False), Field(min_length=1)]
"""Steps, in order; at least one."""

for _class in (BlockStep, TogetherStep, MeasureStep, FaultStep):
    _class.model_rebuild()
