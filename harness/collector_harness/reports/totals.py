"""The run in one small JSON object, for scripts and badges.

The file appears whole when the run has finished, and not at all when it was cut off.
"""

from __future__ import annotations

from pathlib import Path

from collector_harness.events import Event, RunFinished, RunStarted
from collector_harness.reports.whole_file import WholeFile

__all__ = ["TotalsReport", "totals_document"]


def totals_document(finished: RunFinished, *, seed: int | None) -> dict[str, object]:
    """Returns the totals as JSON values; `seconds` is the wall time of the whole run."""
    totals = finished.totals
    return {
        "scenarios": totals.scenarios,
        "cases": totals.cases,
        "passed": totals.passed,
        "failed": totals.failed,
        "unsupported": totals.unsupported,
        "seconds": round(finished.seconds, 6),
        "seed": seed,
        "exit_code": int(finished.exit_code),
        "interrupted": finished.interrupted,
    }


class TotalsReport:
    """Writes the totals at the end of a run.

    Raises `EnvironmentLacks` when the file cannot be written, as far as this can be told
    before the run.
    """

    def __init__(self, path: Path) -> None:
        self._file = WholeFile(path, what="the totals")
        self._seed: int | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._seed = event.seed
        elif isinstance(event, RunFinished):
            self._file.write(totals_document(event, seed=self._seed))

    def close(self) -> None:
        """Does nothing: the file is written when the run finishes, or never."""
