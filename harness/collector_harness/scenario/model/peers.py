"""The peers of a scenario: collectors that the harness plays itself, and what they answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, Strict, WithJsonSchema, model_validator

from collector_harness.documents.validation import Short, StrictModel
from collector_harness.faults.values import FAILURES
from collector_harness.peers.values import ANSWER_FIELDS, OddAnswer, PlayedPeer
from collector_harness.scenario.model.terms import DURATION_SCHEMA, MAX_COUNT, parse_duration
from collector_harness.topology.values import Node

__all__ = ["Answer", "Peer"]

Rpc = Literal[
    "Connect",
    "Dispatch",
    "ListServices",
    "LookupService",
    "RegisterProto",
    "RegisterService",
    "Serve",
    "ValidateMethod",
]

# A peer is there before a case is: its times cannot come from one.
Term = Annotated[timedelta, PlainValidator(parse_duration), WithJsonSchema(dict(DURATION_SCHEMA))]


def _status(value: object) -> str:
    if value in FAILURES:
        return str(value)
    raise ValueError(f"'{value}' is no failure of gRPC\nthere are: {', '.join(FAILURES)}")


Failure = Annotated[
    str, PlainValidator(_status), WithJsonSchema({"type": "string", "enum": list(FAILURES)})
]


class Answer(StrictModel):
    """How a peer answers one RPC."""

    status: Failure | None = Field(
        default=None, description="The gRPC status that the RPC fails with."
    )
    message: str | None = Field(default=None, description="The text of that status.")
    response: dict[str, object] | None = Field(
        default=None, description="The whole answer, as JSON values; nothing is executed."
    )
    patch: dict[str, object] | None = Field(
        default=None, description="Fields to replace in the honest answer; null unsets one."
    )
    silent: Literal[True] | None = Field(default=None, description="Never answer.")
    delay: Term | None = Field(default=None, description="How late to answer.")
    times: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = Field(
        default=None, description="How many calls to answer so, and honestly then; all without."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        ways = self.model_fields_set & {"status", "response", "patch", "silent"}
        if len(ways) > 1:
            raise ValueError(
                f"an RPC is answered in one way, but this has {len(ways)}: "
                f"{', '.join(sorted(ways))}\nkeep one of them"
            )
        if not ways and self.delay is None:
            raise ValueError(
                "this answer is an honest one\nwrite status, response, patch, silent or delay"
            )
        if self.message is not None and self.status is None:
            raise ValueError("message is the text of a status\nadd status")
        return self


def _behaviour(value: object) -> object:
    return {"behaviour": value} if isinstance(value, str) else value


class Peer(StrictModel):
    """A collector that the harness plays itself."""

    behaviour: Literal["recording", "silent", "slow", "lying"] = Field(
        description="How it behaves: it answers honestly, or never, or late, or as in `answers`. "
        "It records in any case."
    )
    collector_id: str | None = Field(default=None, description="The id that it gives; its name.")
    namespaces: Annotated[tuple[str, ...], Strict(False)] = Field(
        default=(), description="The namespaces that it shares."
    )
    probe: Annotated[tuple[str, ...], Strict(False)] = Field(
        default=(), description="Namespaces in which it serves conformance.Probe."
    )
    delay: Term | None = Field(default=None, description="For slow: how late it answers.")
    answers: dict[Rpc, Answer] = Field(
        default_factory=dict, description="For lying: how it answers RPCs, by their names."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.behaviour == "slow") != (self.delay is not None):
            raise ValueError("a slow peer, and no other, has a delay\nadd it, or take it away")
        if (self.behaviour == "lying") != bool(self.answers):
            raise ValueError("a lying peer, and no other, has answers\nadd them, or take them away")
        for rpc, answer in self.answers.items():
            for name in (*(answer.response or ()), *(answer.patch or ())):
                if name not in ANSWER_FIELDS[rpc]:
                    raise ValueError(
                        f"the answer to {rpc} has no field '{name}'\n"
                        f"it has: {', '.join(ANSWER_FIELDS[rpc])}"
                    )
        return self

    def as_node(self, name: str) -> Node:
        """Returns the node that the peer is in a mesh."""
        return Node(
            name=name,
            namespaces=self.namespaces,
            probe=self.probe,
            peer=PlayedPeer(
                collector_id=self.collector_id,
                silent=self.behaviour == "silent",
                delay=self.delay or timedelta(),
                answers={rpc: _odd(answer) for rpc, answer in self.answers.items()},
            ),
        )


WrittenPeer = Annotated[Peer, BeforeValidator(_behaviour), Short({"type": "string"})]
"""A peer, or its behaviour alone."""


def _odd(answer: Answer) -> OddAnswer:
    return OddAnswer(
        grpc=answer.status,
        message=answer.message or "",
        response=answer.response,
        patch=answer.patch or {},
        silent=answer.silent is True,
        delay=answer.delay or timedelta(),
        times=answer.times,
    )
