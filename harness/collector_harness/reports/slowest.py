"""The steps that took longest, and what they waited for. Pure, from a recording to lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collector_harness.events import CallFinished
from collector_harness.reports.cards import duration
from collector_harness.reports.escaping import one_line
from collector_harness.reports.lines import Line, Span, line
from collector_harness.reports.paths import short_case
from collector_harness.reports.recording import CaseRecord, Recording
from collector_harness.reports.table import counted

__all__ = ["SlowStep", "render_slowest", "slowest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SlowStep:
    """A step that holds no other, or what came before the first step of a case."""

    case: str
    step: str
    """Its number; empty for the time until the mesh was there."""
    title: str
    seconds: float
    calls: int = 0
    waited: float = 0.0
    """Seconds in which at least one of its calls was under way."""
    longest: CallFinished | None = None

    @property
    def told(self) -> str:
        """What it waited for, in words."""
        if not self.step:
            return "until its mesh was there"
        if self.longest is None:
            return "no call of the harness: a condition, a fault, or something started or stopped"
        rest = max(0.0, self.seconds - self.waited)
        told = (
            f"{duration(self.waited)} in {counted(self.calls, 'call')}, the longest "
            f"{self.longest.rpc.rpartition('/')[2]} at {self.longest.node} with "
            f"{duration(self.longest.seconds)} ({self.longest.status})"
        )
        return f"{told}; {duration(rest)} between them" if rest > self.seconds / 10 else told


def slowest(recording: Recording, most: int) -> tuple[SlowStep, ...]:
    """Returns the slowest steps of a run, the slowest first."""
    found = [step for case in recording.cases.values() for step in _steps(case)]
    return tuple(sorted(found, key=lambda each: -each.seconds)[:most])


def render_slowest(recording: Recording, most: int) -> tuple[Line, ...]:
    """Returns the slowest steps for a person."""
    lines: list[Line] = [line(Span("slowest steps", "strong"))]
    for each in slowest(recording, most):
        what = f"{each.step}  {each.title}".strip()
        lines += [
            line(f"{duration(each.seconds):>10}  ", one_line(what, 120)),
            line(" " * 12, Span(one_line(short_case(each.case), 160), "faint")),
            line(" " * 12, one_line(each.told, 200)),
        ]
    return tuple(lines)


def _steps(case: CaseRecord) -> Iterator[SlowStep]:
    if case.steps:
        yield SlowStep(
            case=case.started.case,
            step="",
            title="before the first step",
            seconds=case.steps[0].started.at,
        )
    numbers = {each.started.step for each in case.steps}
    outer = {number.rpartition(".")[0] for number in numbers}
    for step in case.steps:
        if step.finished is None or step.started.step in outer:
            continue
        begin, end = step.started.at, step.started.at + step.finished.seconds
        calls = [
            call
            for call in case.calls
            if call.step == step.started.step and begin - 0.001 <= call.at <= end
        ]
        yield SlowStep(
            case=case.started.case,
            step=step.started.step,
            title=step.started.title,
            seconds=step.finished.seconds,
            calls=len(calls),
            waited=min(_covered(calls), step.finished.seconds),
            longest=max(calls, key=lambda call: call.seconds, default=None),
        )


def _covered(calls: Sequence[CallFinished]) -> float:
    total, until = 0.0, 0.0
    for call in sorted(calls, key=lambda each: each.at):
        end = call.at + call.seconds
        if end > until:
            total += end - max(call.at, until)
            until = end
    return total
