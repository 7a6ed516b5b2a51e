"""`--collector-jsonl` and `--collector-html`: the event stream of the scenarios that pytest runs.

Each process writes a stream of its own beside the file that was asked for; the process that the
user started joins them at the end, so it works under pytest-xdist. A worker that died leaves a
stream without an end, and so is the whole one then. Importing this imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from collector_harness.errors import HarnessError

if TYPE_CHECKING:
    from collector_harness.events import Event
    from collector_harness.reports.jsonl import JsonLinesReport

__all__ = ["TestStream", "add_stream_options", "open_stream"]

_FILES = ("collector_jsonl", "collector_html")


def add_stream_options(group: pytest.OptionGroup) -> None:
    """Declares the options."""
    group.addoption(
        "--collector-jsonl",
        metavar="FILE",
        default=None,
        help="write the events of all scenarios to FILE, a line of JSON each",
    )
    group.addoption(
        "--collector-html",
        metavar="FILE",
        default=None,
        help="write all scenarios to FILE as one page that needs nothing else",
    )


def open_stream(config: pytest.Config, *, seed: int, target: str) -> TestStream | None:
    """Returns the stream that is asked for; None where none is.

    Paths become absolute in `config.option`, from where pytest-xdist hands them to its workers.
    Raises `pytest.UsageError` for a file that cannot be written.
    """
    wanted: dict[str, Path] = {}
    for name in _FILES:
        given = config.getoption(name)
        if given is not None:
            wanted[name] = config.invocation_params.dir / given
            setattr(config.option, name, str(wanted[name]))
    if not wanted:
        return None
    base = next(iter(wanted.values()))
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    stream = TestStream(
        base=base,
        jsonl=wanted.get("collector_jsonl"),
        html=wanted.get("collector_html"),
        worker=worker,
        seed=seed,
        target=target,
    )
    if not worker:
        for path in wanted.values():
            if not path.parent.is_dir() or path.is_dir():
                raise pytest.UsageError(f"cannot write {path}: name a file in a folder that exists")
        # What an earlier run left must not pass for this one's.
        for left in (*wanted.values(), *stream.partials()):
            left.unlink(missing_ok=True)
    return stream


@dataclass(kw_only=True, slots=True)
class TestStream:
    """Takes the events of this process, and joins those of all at the end."""

    __test__ = False  # its name is for people, not for pytest

    base: Path
    jsonl: Path | None
    html: Path | None
    worker: str
    seed: int
    target: str
    _report: JsonLinesReport | None = None
    _outcomes: dict[str, str] = field(default_factory=dict)
    """How each case ended, by id."""
    _scenarios: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, event: Event) -> None:
        from collector_harness.events import CaseFinished, CaseStarted

        if isinstance(event, CaseStarted):
            self._scenarios.add((event.source, event.scenario))
        elif isinstance(event, CaseFinished):
            self._outcomes[event.case] = event.outcome.value
        self._opened()(event)

    def finish(self, exit_status: int) -> None:
        """Ends the stream of this process; in the one that the user started, writes the files.

        Raises `pytest.UsageError` where they cannot be written.
        """
        from collector_harness.events import RunFinished, Totals

        if self.worker and self._report is None:
            return
        ended = list(self._outcomes.values())
        passed, unsupported = ended.count("passed"), ended.count("unsupported")
        report = self._opened()
        report(
            RunFinished(
                totals=Totals(
                    scenarios=len(self._scenarios),
                    cases=len(ended),
                    passed=passed,
                    failed=len(ended) - passed - unsupported,
                    unsupported=unsupported,
                ),
                seconds=0.0,
                exit_code=exit_status,
            )
        )
        report.close()
        if not self.worker:
            try:
                self._write(exit_status)
            except HarnessError as error:
                raise pytest.UsageError(str(error)) from error

    def partials(self) -> Iterable[Path]:
        """Yields the streams of single processes that are there."""
        return sorted(self.base.parent.glob(f".{self.base.name}.*.partial"))

    def _opened(self) -> JsonLinesReport:
        if self._report is None:
            from datetime import UTC, datetime

            from collector_harness.events import RunStarted
            from collector_harness.reports.jsonl import JsonLinesReport

            name = f".{self.base.name}.{self.worker or 'main'}.partial"
            self._report = JsonLinesReport(self.base.with_name(name))
            began = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            self._report(
                RunStarted(seed=self.seed, scenarios=0, cases=0, target=self.target, began=began)
            )
        return self._report

    def _write(self, exit_status: int) -> None:
        from collector_harness.events import RunFinished, RunStarted
        from collector_harness.reports.html import render_html
        from collector_harness.reports.jsonl import encode
        from collector_harness.reports.merging import joined
        from collector_harness.reports.reading import read_stream
        from collector_harness.reports.recording import recorded
        from collector_harness.reports.whole_file import WholeFile

        streams = [read_stream(path) for path in self.partials()]
        events = list(joined(streams))
        first, last = events[0], events[-1]
        assert isinstance(first, RunStarted)
        if isinstance(last, RunFinished):
            events[0] = replace(first, cases=last.totals.cases)
            # What pytest ends with counts: a test of another kind may have failed.
            events[-1] = replace(last, exit_code=exit_status)
        if self.jsonl is not None:
            text = "".join(f"{encode(event)}\n" for event in events)
            WholeFile(self.jsonl, what="the event stream").write_text(text)
        if self.html is not None:
            WholeFile(self.html, what="the page").write_text(render_html(recorded(events)))
        for path in self.partials():
            path.unlink()
