"""What a run says while it happens: the one thing that the engine emits, and all that reports read.

Every event is a frozen value that turns into JSON by `as_json`. The stream is
versioned: a reader may rely on every field named here, and must ignore kinds and
fields that it does not know.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from collector_harness.errors import Position
from collector_harness.late import late_field

__all__ = [
    "STREAM_VERSION",
    "CallFinished",
    "CaseFinished",
    "CaseStarted",
    "Emit",
    "Event",
    "Failure",
    "Layer",
    "MeshStarted",
    "MeshStopped",
    "Mismatch",
    "Notice",
    "Outcome",
    "Part",
    "RequirementJudged",
    "RunFinished",
    "RunStarted",
    "StepFinished",
    "StepStarted",
    "Totals",
    "VerdictReached",
    "as_json",
]

STREAM_VERSION = 1

Layer = Literal["grpc", "in-band", "http-like"]
"""Which layer of the answer told the status: gRPC itself, the registry's enum, or the
dispatcher's HTTP-like number."""


class Outcome(enum.StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    """An expectation was not met."""
    CRASHED = "crashed"
    """A node did not start or died, where no step wanted it to."""
    ERROR = "error"
    """The harness could not do what the scenario asks."""
    UNSUPPORTED = "unsupported"
    """It was not run: the collector under test cannot show what it is about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mismatch:
    """One difference between an expectation and the answer."""

    path: str
    """Where in the answer, such as `output.items[0].sku`."""
    expected: str
    """The expectation, for a person."""
    actual: str
    """What was there instead, for a person; `nothing` where there was nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Everything that explains why a case did not pass."""

    message: str
    """What went wrong, in one sentence."""
    position: Position | None = None
    """Where the scenario says what was expected."""
    step: str = ""
    """The step's title."""
    mismatches: tuple[Mismatch, ...] = ()
    """Every difference, not only the first."""
    answer: object = None
    """The whole answer as JSON values; None where there was none."""
    requirements: tuple[str, ...] = ()
    """The requirement ids that the case stands for."""
    route: tuple[str, ...] = ()
    """The collectors that the call is known to have reached, in order."""
    logs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The log tail of each node on the route, by node name."""
    reproduce: str = ""
    """A command line that runs this case alone again, with the same seed."""
    request: object = None
    """What was sent in the call that was made last, as JSON values; None where none was made."""
    called: str = ""
    """Who was called with it and what, such as `west: /collector.Registry/Lookup`."""
    by_hand: str = ""
    """A command line of grpcurl that makes the call again that was made last, without the harness;
    empty where there was none, or one that grpcurl cannot make."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """How many there were of each."""

    scenarios: int = 0
    cases: int = 0
    passed: int = 0
    failed: int = 0
    """Cases that ended in any other way than passed or unsupported."""
    unsupported: int = 0
    """Cases that were not run, as the collector under test cannot show what they are about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Which part of a divided suite a run is, so that all parts can be put together again."""

    shard: str
    """Such as `2/5`."""
    cases: int
    """How many cases, or of a verification requirements, all parts have together, each counted
    once."""
    digest: str
    """Of the ids of all those: equal for parts of the same whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted:
    """The first event of a run."""

    seed: int
    """From which every random choice of the run comes."""
    scenarios: int
    cases: int
    target: str
    """The collector under test, as the user named it."""
    version: int = STREAM_VERSION
    began: str = ""
    """When, in UTC, such as `2026-01-31T12:00:00Z`; empty in streams of older versions."""
    part: Part | None = None
    """Which part of a divided suite it is; None for a whole one."""
    asked: tuple[str, ...] = ()
    """Of a verification of some requirements, the ids that were asked for themselves, and not only
    because these build on them; empty where all are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshStarted:
    """A mesh is up: every node answers and every link carries calls."""

    mesh: int
    """Unique in the run."""
    nodes: Mapping[str, str]
    """The address of each node, by name."""
    links: tuple[str, ...]
    """Such as `west -> east`."""
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshStopped:
    """A mesh is down, and nothing of it is left."""

    mesh: int
    seconds: float


@dataclass(frozen=True, kw_only=True)  # without slots, for what is made when it is read
class CaseStarted:
    """A case begins."""

    case: str
    """Unique in the run: `file::title`, or `file::title[name]` where the scenario has cases."""
    scenario: str
    """The scenario's title."""
    source: str
    """The file as the user named it."""
    requirements: tuple[str, ...] = ()
    topology: object = late_field(None)
    """What it runs on, bounded: `{"nodes": [{"name", "kind", "namespaces"}], "links": [["west",
    "east"]], "left_out": 0}`, where `kind` is `target`, `reference`, `other`, `peer` or
    `service`; None where it runs on nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepStarted:
    """A step begins."""

    case: str
    step: str
    """Its place in the case, such as `2` or `3.1` for a step inside a step."""
    title: str
    action: str = ""
    """What kind of step it is, such as `dispatch` or `fault`."""
    at: float = 0.0
    """Seconds since the case began."""


@dataclass(frozen=True, kw_only=True)  # without slots, for what is made when it is read
class CallFinished:
    """The harness made a call, and this came back."""

    case: str
    step: str
    node: str
    rpc: str
    """Such as `/collector.CollectiveDispatcher/Dispatch`."""
    request: object = late_field()
    """As JSON values."""
    status: str
    """The canonical name, such as `NOT_FOUND`."""
    layer: Layer
    message: str
    response: object = late_field()
    """As JSON values; None when gRPC failed."""
    handled_by: str | None
    seconds: float
    at: float = 0.0
    """When the call was made, in seconds since the case began."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished:
    """A step ended."""

    case: str
    step: str
    outcome: Outcome
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseFinished:
    """A case ended."""

    case: str
    scenario: str
    source: str
    outcome: Outcome
    seconds: float
    requirements: tuple[str, ...] = ()
    failure: Failure | None = None
    """Set unless it passed; of one that is unsupported, its message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something that a person should know, and that fails nothing."""

    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RequirementJudged:
    """What a verification found out about one requirement; after the last case."""

    requirement: str
    """Its id."""
    level: str
    text: str
    sources: tuple[str, ...]
    """Each in full."""
    verdict: str
    """As `conformance.verdicts.Verdict` names it."""
    reason: str = ""
    cases: tuple[str, ...] = ()
    """The ids of its cases, as `CaseFinished` names them; those that did not run too."""
    blocked_by: tuple[str, ...] = ()
    reproduce: str = ""
    asked: bool = True
    """Whether it was asked for itself, and not only because something else builds on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictReached:
    """What a verification found out as a whole; after the last requirement."""

    suite_version: str
    target: str
    totals: Mapping[str, int]
    """How many requirements got each verdict."""
    families: Mapping[str, str]
    """What each family of requirements is about, in the catalogue's order."""
    findings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()
    """The ids of requirements that the suite has no case for."""
    as_of: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFinished:
    """The last event of a run. A stream without it was cut off."""

    totals: Totals
    seconds: float
    exit_code: int
    interrupted: bool = False


Event = (
    RunStarted
    | MeshStarted
    | MeshStopped
    | CaseStarted
    | StepStarted
    | CallFinished
    | StepFinished
    | CaseFinished
    | Notice
    | RequirementJudged
    | VerdictReached
    | RunFinished
)

Emit = Callable[[Event], None]
"""Takes events in the order in which they happen; called on the engine's loop only."""


def as_json(event: Event) -> dict[str, object]:
    """Returns the event as JSON values, with its `kind` (the class name) first."""
    return {"kind": type(event).__name__, **dataclasses.asdict(event)}
