"""A run as one value, made from its events: what every report that is a file is made of.

A run may be still going on, or may have been cut off: then there is no end, and cases that had
begun have no result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from collector_harness.events import (
    CallFinished,
    CaseFinished,
    CaseStarted,
    Event,
    MeshStarted,
    Notice,
    Outcome,
    RequirementJudged,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    VerdictReached,
)

__all__ = ["INTERRUPTED", "CaseRecord", "Recording", "StepRecord", "recorded"]

INTERRUPTED: Final = "the run was interrupted before all of it was done"
"""Why a run that somebody interrupted is incomplete."""

_WELL = (Outcome.PASSED, Outcome.UNSUPPORTED)
_MOST_CALLS = 2_000
_MOST_STEPS = 2_000


@dataclass(slots=True)
class StepRecord:
    """One step of a case, as often as it was done."""

    started: StepStarted
    finished: StepFinished | None = None


@dataclass(slots=True)
class CaseRecord:
    """What is known of one case."""

    started: CaseStarted
    finished: CaseFinished | None = None
    """None for a case that had begun when the stream was cut off."""
    steps: list[StepRecord] = field(default_factory=list)
    calls: list[CallFinished] = field(default_factory=list)
    calls_left_out: int = 0
    """How many calls there were beyond what is kept."""

    @property
    def outcome(self) -> str:
        """The outcome, or `unfinished`."""
        return "unfinished" if self.finished is None else self.finished.outcome.value

    @property
    def seconds(self) -> float:
        return 0.0 if self.finished is None else self.finished.seconds


@dataclass(slots=True)
class Recording:
    """A report that keeps what happened; memory is bounded for each case."""

    started: RunStarted | None = None
    finished: RunFinished | None = None
    cases: dict[str, CaseRecord] = field(default_factory=dict)
    """By id, in the order in which they began."""
    meshes: list[MeshStarted] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    requirements: list[RequirementJudged] = field(default_factory=list)
    verdict: VerdictReached | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.started = event
            case CaseStarted():
                self.cases[event.case] = CaseRecord(event)
            case StepStarted():
                self._step_started(event)
            case CallFinished():
                self._call(event)
            case StepFinished():
                self._step_finished(event)
            case CaseFinished():
                self._case_finished(event)
            case MeshStarted():
                self.meshes.append(event)
            case Notice():
                self.notices.append(event.message)
            case RequirementJudged():
                self.requirements.append(event)
            case VerdictReached():
                self.verdict = event
            case RunFinished():
                self.finished = event
            case _:
                pass

    def close(self) -> None:
        """Does nothing: what is kept is for whoever asked for it."""

    @property
    def cut_off(self) -> bool:
        """Whether the end is missing: such a run is a failure, whatever else is known of it."""
        return self.finished is None

    @property
    def incomplete(self) -> str:
        """Why the run proves nothing as a whole, in one sentence; empty where it is complete."""
        if self.finished is None:
            return "the stream was cut off: it has no end, so what is missing is not known"
        if self.finished.interrupted:
            return INTERRUPTED
        unfinished = sum(each.finished is None for each in self.cases.values())
        if unfinished:
            return f"{unfinished} of {len(self.cases)} cases have no result"
        return ""

    @property
    def exit_code(self) -> int:
        """What the run ended with; a failure where its end is missing or it is incomplete."""
        if self.finished is None:
            return 1
        code = int(self.finished.exit_code)
        return 1 if code == 0 and self.incomplete else code

    @property
    def failures(self) -> list[CaseRecord]:
        """The cases that were run and did not pass, those without a result among them."""
        return [
            each
            for each in self.cases.values()
            if each.finished is None or each.finished.outcome not in _WELL
        ]

    def _step_started(self, event: StepStarted) -> None:
        case = self.cases.get(event.case)
        if case is not None and len(case.steps) < _MOST_STEPS:
            case.steps.append(StepRecord(event))

    def _step_finished(self, event: StepFinished) -> None:
        case = self.cases.get(event.case)
        if case is None:
            return
        # The last that began with that number: one that is done again ends before the next begins.
        for step in reversed(case.steps):
            if step.started.step == event.step and step.finished is None:
                step.finished = event
                return

    def _call(self, event: CallFinished) -> None:
        case = self.cases.get(event.case)
        if case is None:
            return
        if len(case.calls) < _MOST_CALLS:
            case.calls.append(event)
        else:
            case.calls_left_out += 1

    def _case_finished(self, event: CaseFinished) -> None:
        case = self.cases.get(event.case)
        if case is not None:
            case.finished = event


def recorded(events: Iterable[Event]) -> Recording:
    """Returns the recording of a stream."""
    recording = Recording()
    for event in events:
        recording(event)
    return recording
