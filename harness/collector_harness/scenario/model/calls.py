"""Steps that ask a collector something: one class for each action."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, Strict, WithJsonSchema

from collector_harness.documents.validation import Short, StrictModel
from collector_harness.scenario.model.answers import CALL, OBSERVATION, ROUTES, answer_schema
from collector_harness.scenario.model.base import AnsweringStep, Expectation, Metadata, Texts
from collector_harness.scenario.model.modifiers import Payload, TextItems
from collector_harness.scenario.model.terms import (
    Count,
    Deadline,
    Duration,
    MethodTerm,
    RpcName,
    ServiceTerm,
    Text,
)

__all__ = [
    "CallStep",
    "ConnectStep",
    "Connection",
    "DispatchStep",
    "ListStep",
    "LookupStep",
    "Observation",
    "ObserveStep",
    "RegisterStep",
    "Registration",
    "RouteSelection",
    "RoutesStep",
    "RpcStep",
    "ServeStep",
    "ValidateStep",
]

CallExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(CALL, aggregate=True))]
RoutesExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(ROUTES, aggregate=True))]
Observation = Annotated[Expectation, WithJsonSchema(answer_schema(OBSERVATION))]


class RpcStep(AnsweringStep):
    """A step that makes one call to one node."""

    via: Text | None = Field(
        default=None, description="The node to call; not needed where there is only one."
    )
    metadata: Metadata | None = Field(default=None, description="Metadata to send.")
    deadline: Deadline | None = Field(
        default=None, description="The deadline of the call, or none. 5s by default."
    )
    cancel_after: Duration | None = Field(
        default=None, description="Cancel the call after so long, if no answer has come by then."
    )
    expect: CallExpectation | None = Field(default=None, description="What the answer must be.")


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
    namespaces: TextItems | None = Field(
        default=None, description="The namespaces that it carries."
    )
    count: Count | None = Field(
        default=None,
        description="Makes so many requests, whose ids end in -1, -2 and so on.",
    )


def _connection(value: object) -> object:
    return {"node": value} if isinstance(value, str) else value


class ConnectStep(RpcStep):
    """Ask a node to connect with a peer."""

    action: ClassVar[str] = "connect"
    peer: Annotated[Connection, BeforeValidator(_connection), Short({"type": "string"})] = Field(
        alias="connect", description="The peer: a node, or what the request carries."
    )


class Registration(StrictModel):
    """What to put into a registry: a service, or the file of a proto."""

    namespace: Text | None = Field(
        default=None, description="The namespace; left out, it is unset."
    )
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
    services: Count | None = Field(
        default=None,
        description="Registers so many services without methods, s1, s2 and so on, one call each.",
    )
    once: bool = Field(
        default=False,
        description="With `services`: those that another case has registered on a shared mesh are "
        "not registered again.",
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
    append: Payload = Field(
        default=None,
        description="Bytes to send behind the encoded request, as {$base64: ...}.",
    )


class ObserveStep(AnsweringStep):
    """Look at the counters of a node."""

    action: ClassVar[str] = "observe"
    node: Text = Field(alias="observe", description="The node to look at.")
    expect: Observation | None = Field(default=None, description="What the counters must be.")


class RouteSelection(StrictModel):
    """The calls among all that a mesh can be asked for."""

    namespaces: Texts | None = Field(
        default=None, description="Only calls in these namespaces; all that any node has without."
    )


def _selection(value: object) -> object:
    if isinstance(value, str) and value != "all":
        raise ValueError(
            f"'{value}' is not a choice of routes\nwrite all, or {{namespaces: [...]}}"
        )
    return {} if value == "all" else value


class RoutesStep(AnsweringStep):
    """Make every call that the mesh can be asked for, and compare with the model of routing."""

    action: ClassVar[str] = "routes"
    routes: Annotated[
        RouteSelection,
        BeforeValidator(_selection),
        Short({"const": "all"}),
    ] = Field(
        description="Which calls of conformance.Probe to make: all, which is through each node, in "
        "each namespace, automatically and with each node as the target; or a selection."
    )
    deadline: Duration | None = Field(
        default=None, description="The deadline of each call. 5s by default."
    )
    expect: RoutesExpectation | None = Field(
        default=None, description="What the answer must be; nothing is wrong, if it does not say."
    )
