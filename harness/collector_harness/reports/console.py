"""The run on a console: progress while it runs, then cards, a table and one line.

This report only reads events and decides what is said when; how a failure or the table
reads is decided in `cards` and `table`, and where it goes in `screen`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import IO

from collector_harness.events import (
    CallFinished,
    CaseFinished,
    CaseStarted,
    Event,
    MeshStarted,
    Notice,
    Outcome,
    RunFinished,
    RunStarted,
    StepStarted,
)
from collector_harness.reports.cards import SHORT, WHOLE, Describe, card, duration
from collector_harness.reports.escaping import one_line
from collector_harness.reports.lines import Line, Span, Style, line
from collector_harness.reports.paths import short_case
from collector_harness.reports.screen import Screen, open_screen
from collector_harness.reports.table import Tally, counted, summary, table

__all__ = ["ConsoleReport", "describe_requirement"]

SHORT_TABLE = 50
SHORT_NODES = 5
TEXT = 200

_OUTCOMES: Mapping[Outcome, Span] = {
    Outcome.PASSED: Span("passed  ", "good"),
    Outcome.FAILED: Span("FAILED  ", "bad"),
    Outcome.CRASHED: Span("CRASHED ", "bad"),
    Outcome.ERROR: Span("ERROR   ", "bad"),
    Outcome.UNSUPPORTED: Span("left out  ", "warning"),
}


def describe_requirement(requirement: str) -> str | None:
    """Returns level, text and sources of a requirement as one line; None for an unknown id."""
    from collector_harness.conformance.requirements import catalogue

    every = catalogue()
    if requirement not in every:
        return None
    found = every[requirement]
    sources = "; ".join(every.sources[source] for source in found.sources)
    return f"{found.level} {found.text} ({sources})"


class ConsoleReport:
    """Shows a run to a person.

    Without `verbose` cards are short, a long table is cut, and on a terminal cases that passed
    are only counted; with it everything is shown, each step and call included. Where a
    verdict follows, meshes are not named, and cards, table and summary are left to it; what passed
    of requirements that nobody asked for themselves is one line.
    """

    def __init__(
        self,
        *,
        stream: IO[str] | None = None,
        environment: Mapping[str, str] | None = None,
        verbose: bool = False,
        verdict_follows: bool = False,
        describe: Describe = describe_requirement,
    ) -> None:
        self._screen: Screen = open_screen(sys.stdout if stream is None else stream, environment)
        self._list_passed = verbose or not self._screen.live
        self._verbose = verbose
        self._verdict_follows = verdict_follows
        self._describe = describe
        self._tally = Tally()
        self._failures: list[CaseFinished] = []
        self._running: dict[str, None] = {}
        self._steps: dict[str, list[Line]] = {}
        self._seed: int | None = None
        self._planned = 0
        self._done = 0
        self._asked: frozenset[str] = frozenset()
        self._beneath: list[CaseFinished] = []
        """What passed of requirements that were not asked for themselves."""

    def __call__(self, event: Event) -> None:
        match event:
            case CaseStarted():
                self._tally.begin(event)
                self._running[event.case] = None
                self._advance()
            case CaseFinished():
                self._case_finished(event)
            case StepStarted() if self._verbose:
                title = f"{event.step}  {event.title}"
                self._remember(event.case, line("    step ", one_line(title, TEXT)))
            case CallFinished() if self._verbose:
                self._remember(event.case, _call(event))
            case MeshStarted() if self._verbose or not self._verdict_follows:
                self._screen.show([_mesh(event, every=self._verbose)])
            case Notice():
                note = one_line(event.message, 10 * TEXT)
                self._screen.show([line(Span("note: ", "warning"), note)])
            case RunStarted():
                self._seed, self._planned = event.seed, event.cases
                self._asked = frozenset(event.asked)
                target = one_line(event.target, TEXT)
                what = (
                    f"{counted(event.cases, 'case')} of {counted(event.scenarios, 'scenario')} "
                    f"on {target}"
                )
                self._screen.show([line(Span(what, "strong"), f", seed {event.seed}")])
                self._screen.begin(event.cases)
            case RunFinished():
                self._finish(event)
            case _:
                pass

    def close(self) -> None:
        """Gives the terminal back; the stream stays open, for it belongs to the caller."""
        self._screen.end()

    def _case_finished(self, event: CaseFinished) -> None:
        self._running.pop(event.case, None)
        self._tally.add(event)
        self._done += 1
        steps = self._steps.pop(event.case, [])
        passed = event.outcome is Outcome.PASSED
        if event.outcome is Outcome.UNSUPPORTED:
            steps.append(_why(event))
        elif not passed:
            self._failures.append(event)
        if passed and not self._verbose and self._is_beneath(event):
            self._beneath.append(event)
        elif not passed or self._list_passed:
            shown = _OUTCOMES[event.outcome], Span(one_line(short_case(event.case), TEXT))
            self._screen.show([line(*shown, Span(f"  {duration(event.seconds)}", "faint")), *steps])
        self._advance()

    def _is_beneath(self, event: CaseFinished) -> bool:
        """Whether a case only shows something on which what was asked for builds."""
        return bool(self._asked) and self._asked.isdisjoint(event.requirements)

    def _advance(self) -> None:
        running = next(iter(self._running), "")
        self._screen.advance(
            done=self._done, failed=len(self._failures), running=one_line(short_case(running), TEXT)
        )

    def _remember(self, case: str, shown: Line) -> None:
        # Cases run side by side: the steps of one are kept until it has finished, so that they
        # stand together.
        self._steps.setdefault(case, []).append(shown)

    def _finish(self, event: RunFinished) -> None:
        self._screen.end()
        if self._beneath:
            ids = sorted({key for each in self._beneath for key in each.requirements})
            told = f"{counted(len(self._beneath), 'case')} of what it builds on: {', '.join(ids)}"
            self._screen.show([line(_OUTCOMES[Outcome.PASSED], one_line(told, 3 * TEXT))])
        if self._verdict_follows:
            return
        bounds = WHOLE if self._verbose else SHORT
        for failure in self._failures:
            self._screen.show([(), *card(failure, bounds=bounds, describe=self._describe)])
        rows = self._tally.rows()
        shown = table(rows, limit=len(rows) if self._verbose else SHORT_TABLE)
        last = summary(event, seed=self._seed, planned=self._planned)
        self._screen.show([(), *shown, (), last] if shown else [last])


def _mesh(event: MeshStarted, *, every: bool) -> Line:
    nodes = [f"{name} {address}" for name, address in event.nodes.items()]
    shown = nodes if every else nodes[:SHORT_NODES]
    if len(shown) < len(nodes):
        shown.append(f"{len(nodes) - len(shown)} more")
    return line(
        Span("mesh    ", "accent"),
        one_line(", ".join(shown), 10_000 if every else 3 * TEXT),
        f"; {counted(len(event.links), 'link')}",
        Span(f"  {duration(event.seconds)}", "faint"),
    )


def _why(event: CaseFinished) -> Line:
    told = event.failure.message if event.failure is not None else ""
    return line("        ", Span(one_line(told, TEXT), "faint"))


def _call(event: CallFinished) -> Line:
    style: Style = "good" if event.status == "OK" else "warning"
    by = f" by {one_line(event.handled_by, TEXT)}" if event.handled_by else ""
    said = f" {one_line(event.message, TEXT)}" if event.message else ""
    return line(
        f"      {one_line(event.node, TEXT)} {one_line(event.rpc, TEXT)} ",
        Span(one_line(event.status, TEXT), style),
        f" ({event.layer}){by}{said}",
        Span(f"  {duration(event.seconds)}", "faint"),
    )
