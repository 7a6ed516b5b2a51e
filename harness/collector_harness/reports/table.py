"""The end of a run in a table and one line: pure, from counts to lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from collector_harness.events import CaseFinished, CaseStarted, Outcome, RunFinished
from collector_harness.reports.cards import duration
from collector_harness.reports.escaping import one_line, width
from collector_harness.reports.lines import Line, Span, line

__all__ = ["Row", "Tally", "counted", "summary", "table"]

TITLE_COLUMNS = 72


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """How the cases of one scenario ended."""

    title: str
    source: str
    passed: int = 0
    failed: int = 0
    seconds: float = 0.0
    """The time of its cases, added up."""

    @property
    def cases(self) -> int:
        return self.passed + self.failed


@dataclass(slots=True)
class Tally:
    """Counts cases per scenario as they finish; scenarios stand in the order of their begin."""

    _rows: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def begin(self, started: CaseStarted) -> None:
        """Gives the scenario of a case its place."""
        self._rows.setdefault((started.source, started.scenario), [0, 0, 0.0])

    def add(self, finished: CaseFinished) -> None:
        """Counts one case that was run."""
        counts = self._rows.setdefault((finished.source, finished.scenario), [0, 0, 0.0])
        if finished.outcome is Outcome.UNSUPPORTED:
            return
        counts[0 if finished.outcome is Outcome.PASSED else 1] += 1
        counts[2] += finished.seconds

    def rows(self) -> tuple[Row, ...]:
        """Returns what was counted so far, without scenarios of which no case has ended."""
        return tuple(
            Row(title=title, source=source, passed=int(passed), failed=int(failed), seconds=seconds)
            for (source, title), (passed, failed, seconds) in self._rows.items()
            if passed or failed
        )


def table(rows: Sequence[Row], *, limit: int) -> tuple[Line, ...]:
    """Returns the scenarios as a table: scenario, cases, passed, failed, time.

    Of more than `limit` scenarios those with failures are shown before the others, and a line
    says how many were left out. Titles that occur twice are shown with their file.
    """
    if not rows:
        return ()
    shown = rows if len(rows) <= limit else sorted(rows, key=lambda row: row.failed == 0)[:limit]
    often = Counter(row.title for row in rows)
    texts = [
        (
            one_line(
                row.title if often[row.title] == 1 else f"{row.title} ({row.source})", TITLE_COLUMNS
            ),
            str(row.cases),
            str(row.passed),
            str(row.failed),
            duration(row.seconds),
        )
        for row in shown
    ]
    header = ("scenario", "cases", "passed", "failed", "time")
    widths = [max(width(text) for text in column) for column in zip(header, *texts, strict=True)]
    lines = [line(Span(_padded(header, widths), "strong"))]
    lines.append(line(Span("  ".join("-" * each for each in widths), "faint")))
    for row, cells in zip(shown, texts, strict=True):
        padded = _padded(cells, widths)
        lines.append(line(Span(padded, "bad") if row.failed else padded))
    rest = len(rows) - len(shown)
    if rest:
        failed = sum(row.failed > 0 for row in rows) - sum(row.failed > 0 for row in shown)
        ended = f"{failed} of them with failures" if failed else "all passed"
        lines.append(line(Span(f"… {counted(rest, 'more scenario')}, {ended}", "faint")))
    return tuple(lines)


def summary(finished: RunFinished, *, seed: int | None, planned: int = 0) -> Line:
    """Returns the last line of a run; `planned` is how many cases there were to run."""
    totals = finished.totals
    good = finished.exit_code == 0
    counts = (
        f"{counted(totals.scenarios, 'scenario')}, {counted(totals.cases, 'case')}: "
        f"{totals.passed} passed, {totals.failed} failed"
    )
    if totals.unsupported:
        counts += f", {totals.unsupported} unsupported"
    missing = planned - totals.cases
    if missing > 0:
        counts += f", {missing} not run"
    pieces = [Span(counts, "good" if good else "bad"), Span(f" in {duration(finished.seconds)}")]
    if finished.interrupted:
        pieces.append(Span("; interrupted", "bad"))
    if seed is not None:
        pieces.append(Span(f" (seed {seed})", "faint"))
    return tuple(pieces)


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers = cells
    padded = [first + " " * (widths[0] - width(first))]
    padded += [text.rjust(each) for text, each in zip(numbers, widths[1:], strict=True)]
    return "  ".join(padded)


def counted(number: int, noun: str) -> str:
    """Returns such as `1 case` and `2 cases`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
