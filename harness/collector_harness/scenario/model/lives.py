"""Steps that end a node as its operator would, and start it again, and look at how that went."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, WithJsonSchema

from collector_harness.scenario.model.answers import ENDING, STARTING, answer_schema
from collector_harness.scenario.model.base import AnsweringStep, Expectation
from collector_harness.scenario.model.terms import Duration, Text

__all__ = ["StartStep", "StopStep"]

EndingExpectation = Annotated[Expectation, WithJsonSchema(answer_schema(ENDING, aggregate=True))]
StartingExpectation = Annotated[
    Expectation, WithJsonSchema(answer_schema(STARTING, aggregate=True))
]


class StopStep(AnsweringStep):
    """Ask a node to end, as its operator would by SIGTERM, and wait until it has."""

    action: ClassVar[str] = "stop"
    node: Text = Field(alias="stop", description="The node to end; it stays down.")
    deadline: Duration | None = Field(
        default=None, description="How long it may take before it is killed. 15s by default."
    )
    expect: EndingExpectation | None = Field(
        default=None, description="How it must have ended; by itself and well, without."
    )


class StartStep(AnsweringStep):
    """Start a node again, ended first where it runs, and wait until it says that it is ready."""

    action: ClassVar[str] = "start"
    node: Text = Field(alias="start", description="The node to start.")
    expect: StartingExpectation | None = Field(
        default=None, description="How that must have gone; it is ready, without."
    )
