"""What a scenario can break. Every fault lasts as long as the steps under it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, Strict, model_validator

from collector_harness.documents.validation import Short, StrictModel
from collector_harness.faults.values import FAILURES
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

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.model_fields_set & {"status", "delay", "drop_after"}:
            raise ValueError("this RPC does not fail\nadd status, delay or drop_after")
        if "${" not in self.rpc and not all(self.rpc.removeprefix("/").partition("/")):
            raise ValueError(
                f"'{self.rpc}' is not an RPC\nwrite package.Service/Method, or package.Service/*"
            )
        if self.status is not None and "${" not in self.status and self.status not in FAILURES:
            raise ValueError(
                f"'{self.status}' is no failure of gRPC\nthere are: {', '.join(FAILURES)}"
            )
        return self


_NEEDED: Mapping[str, str] = {
    "latency": "delay",
    "bandwidth": "bytes_per_second",
    "connection_limit": "connections",
}
_ALLOWED: Mapping[str, frozenset[str]] = {
    "latency": frozenset({"delay", "jitter"}),
    "bandwidth": frozenset({"bytes_per_second"}),
    "corrupt": frozenset({"probability"}),
    "connection_limit": frozenset({"connections"}),
}


def _check_place(kind: str, written: LinkFault) -> None:
    if (written.link is None) == (written.node is None):
        raise ValueError(f"{kind} is about a link or a node\nwrite one of link and node")
    if written.link is not None and "->" not in written.link and "${" not in written.link:
        raise ValueError(f"'{written.link}' is not a link\nwrite for example: hub -> a")
    needed = _NEEDED.get(kind)
    if needed is not None and getattr(written, needed) is None:
        raise ValueError(f"{kind} needs {needed}\nwrite for example {_EXAMPLES[kind]}")
    allowed = _ALLOWED.get(kind, frozenset()) | {"link", "node", "direction"}
    for name in sorted(written.model_fields_set - allowed):
        raise ValueError(f"{name} does not go with {kind}\ntake it away")


_EXAMPLES: Mapping[str, str] = {
    "latency": "{link: hub -> a, delay: 100ms}",
    "bandwidth": "{link: hub -> a, bytes_per_second: 10000}",
    "connection_limit": "{node: a, connections: 2}",
}


def _check_groups(groups: tuple[tuple[str, ...], ...]) -> None:
    if len(groups) < 2 or not all(groups):
        raise ValueError("a partition has two groups or more\nwrite for example [[hub], [a, b]]")
    names = [name for group in groups for name in group if "${" not in name]
    for name in sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"node '{name}' is in two groups of a partition\nleave it in one of them")


def _node(value: object) -> object:
    return {"node": value} if isinstance(value, str) else value


def _place(value: object) -> object:
    if isinstance(value, str):
        return {"link": value} if "->" in value else {"node": value}
    return value


Place = Annotated[LinkFault, BeforeValidator(_place), Short({"type": "string"})]


class Fault(StrictModel):
    """One fault: exactly one of its keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

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
        (kind,) = self.model_fields_set
        written = getattr(self, kind)
        if isinstance(written, LinkFault):
            _check_place(kind, written)
        groups = self.partition
        if groups is not None:
            _check_groups(groups)
        return self
