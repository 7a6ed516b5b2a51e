"""What a scenario can break. Every fault lasts as long as the steps under it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, Strict, model_validator

from collector_harness.documents.validation import Short, StrictModel
from collector_harness.scenario.model.terms import Count, Duration, Text

__all__ = ["Fault", "GrpcFault", "LinkFault", "Restart"]

Names = Annotated[tuple[Text, ...], Strict(False)]
Direction = Literal["both", "forth", "back"]


class Restart(StrictModel):
    """A node that is stopped and started again."""

    node: Text = Field(description="The node.")
    port: Literal["same", "other"] = Field(
        default="same", description="Whether it comes back on the port that it had."
    )


class LinkFault(StrictModel):
    """A disturbance of the bytes on a link, or on everything that a node is reached by."""

    link: Text | None = Field(default=None, description="A link, such as west -> east.")
    node: Text | None = Field(default=None, description="A node, instead of a link.")
    direction: Direction = Field(
        default="both", description="Which way: forth is from the link's left to its right."
    )
    delay: Duration | None = Field(default=None, description="For latency: how long.")
    jitter: Duration | None = Field(
        default=None, description="For latency: how much longer or shorter at random."
    )
    bytes_per_second: Count | None = Field(default=None, description="For bandwidth: how fast.")
    probability: Annotated[float, Strict(False)] | None = Field(
        default=None, gt=0, le=1, description="For corruption: of how many of the packets."
    )
    connections: Count | None = Field(default=None, description="For a limit: how many at most.")


class GrpcFault(StrictModel):
    """A fault of an RPC, by service and method."""

    node: Text = Field(description="The node that serves it.")
    rpc: Text = Field(description="The RPC, as package.Service/Method, or package.Service/*.")
    status: Text | None = Field(default=None, description="The status that it answers.")
    message: Text | None = Field(default=None, description="The text of that status.")
    delay: Duration | None = Field(default=None, description="How long it waits before.")
    drop_after: Count | None = Field(
        default=None, description="After how many messages its stream breaks."
    )


def _node(value: object) -> object:
    return {"node": value} if isinstance(value, str) else value


def _place(value: object) -> object:
    if isinstance(value, str):
        return {"link": value} if "->" in value else {"node": value}
    return value


Place = Annotated[LinkFault, BeforeValidator(_place), Short({"type": "string"})]


class Fault(StrictModel):
    """One fault: exactly one of its keys."""

    kill: Text | None = Field(default=None, description="A node that is killed at once.")
    pause: Text | None = Field(default=None, description="A node that stands still.")
    restart: Annotated[Restart, BeforeValidator(_node), Short({"type": "string"})] | None = Field(
        default=None, description="A node that is stopped and started again."
    )
    partition: Annotated[tuple[Names, ...], Strict(False)] | None = Field(
        default=None, description="Groups of nodes that cannot reach each other."
    )
    latency: Place | None = Field(default=None, description="Bytes arrive later.")
    bandwidth: Place | None = Field(default=None, description="Bytes arrive more slowly.")
    reset: Place | None = Field(default=None, description="Connections are reset.")
    blackhole: Place | None = Field(default=None, description="Bytes vanish.")
    half_open: Place | None = Field(
        default=None, description="One side is closed, and the other is not told."
    )
    corrupt: Place | None = Field(default=None, description="Bytes are changed.")
    connection_limit: Place | None = Field(
        default=None, description="No more than so many connections."
    )
    grpc: GrpcFault | None = Field(default=None, description="An RPC answers wrongly or late.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(
                "a fault is exactly one thing\nput further faults around it, a step each"
            )
        return self
