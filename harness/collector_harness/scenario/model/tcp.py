"""The step that writes bytes to the port of a node, below gRPC."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, WithJsonSchema

from collector_harness.scenario.model.answers import TCP, answer_schema
from collector_harness.scenario.model.base import AnsweringStep, Expectation
from collector_harness.scenario.model.modifiers import Payload
from collector_harness.scenario.model.terms import Duration, Text

__all__ = ["TcpStep"]

TcpExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(TCP, aggregate=True))]


class TcpStep(AnsweringStep):
    """Write bytes to the port of a node over a new connection, and see what comes back."""

    action: ClassVar[str] = "tcp"
    node: Text = Field(alias="tcp", description="The node to whose port to connect.")
    send: Payload = Field(
        default=None, description="A text, {$base64: ...} or {$bytes: n}; nothing without."
    )
    within: Duration | None = Field(
        default=None,
        description="How long to read for, unless the node closes the connection. 500ms by "
        "default.",
    )
    expect: TcpExpectation | None = Field(
        default=None, description="What must have happened; that there was a connection, without."
    )
