"""Steps for what stands around collectors: streams, HTTP gateways and databases."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, Strict, WithJsonSchema, model_validator

from collector_harness.documents.validation import Short, StrictModel
from collector_harness.scenario.model.answers import HTTP, SQL, STREAM, answer_schema
from collector_harness.scenario.model.base import AnsweringStep, Expectation, Metadata
from collector_harness.scenario.model.modifiers import Payload
from collector_harness.scenario.model.terms import (
    Deadline,
    Duration,
    ReplyPath,
    RpcName,
    Text,
)

__all__ = ["HttpRequest", "HttpStep", "Line", "SqlStep", "StreamStep"]

StreamExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(STREAM, aggregate=True))]
HttpExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(HTTP, aggregate=True))]
SqlExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(SQL, aggregate=True))]


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
    save: dict[str, ReplyPath] | None = Field(
        default=None,
        description="Names, each with the part of the message, or of the headers, to keep under "
        "it: for the lines after this one, and for the steps after the call.",
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        done = self.model_fields_set - {"within", "save"}
        if len(done) != 1:
            raise ValueError(
                "a line of a script does exactly one thing\n"
                "write send, receive, headers, half_close or cancel"
            )
        if self.save is not None and not done & {"receive", "headers"}:
            raise ValueError(
                "only what comes can be saved\nput save beside receive or headers, where "
                "receive: {$any: true} takes any message"
            )
        return self


class StreamStep(AnsweringStep):
    """Call a streaming RPC by a script."""

    action: ClassVar[str] = "stream"
    rpc: RpcName = Field(alias="stream", description="The RPC, as package.Service/Method.")
    script: Annotated[tuple[Line, ...], Strict(False)] = Field(
        description="What to send and what to expect, in order."
    )
    via: Text | None = Field(default=None, description="The node to call.")
    metadata: Metadata | None = Field(default=None, description="Metadata to send.")
    deadline: Deadline | None = Field(
        default=None, description="The deadline of the whole call, or none. 5s by default."
    )
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
    request: Annotated[HttpRequest, BeforeValidator(_request), Short({"type": "string"})] = Field(
        alias="http", description="The request, such as GET /orders/1."
    )
    via: Text | None = Field(default=None, description="The service to ask.")
    headers: dict[str, Text] | None = Field(default=None, description="Headers to send.")
    input: Payload = Field(
        default=None, description="The body: sent as JSON, or as it is where it is {$base64: ...}."
    )
    follow: Literal[True] | None = Field(
        default=None, description="Follow redirects, at most five; without, they are the answer."
    )
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
