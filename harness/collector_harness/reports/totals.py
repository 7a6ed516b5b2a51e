"""The run in one small JSON object, for scripts and badges.

The file appears whole when the run has finished, and not at all when it was cut off: a file
of an earlier run is removed first, so that it cannot pass for this one's.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from collector_harness.errors import EnvironmentLacks
from collector_harness.events import Event, RunFinished, RunStarted

__all__ = ["TotalsReport", "totals_document"]


def totals_document(finished: RunFinished, *, seed: int | None) -> dict[str, object]:
    """Returns the totals as JSON values; `seconds` is the wall time of the whole run."""
    totals = finished.totals
    return {
        "scenarios": totals.scenarios,
        "cases": totals.cases,
        "passed": totals.passed,
        "failed": totals.failed,
        "seconds": round(finished.seconds, 6),
        "seed": seed,
        "exit_code": finished.exit_code,
        "interrupted": finished.interrupted,
    }


class TotalsReport:
    """Writes the totals at the end of a run.

    Raises `EnvironmentLacks` when the file cannot be written, as far as this can be told
    before the run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seed: int | None = None
        if not path.parent.is_dir():
            raise EnvironmentLacks(
                f"cannot write the totals to {path}: there is no folder {path.parent}; make it "
                "first, or name another file"
            )
        if path.is_dir():
            raise EnvironmentLacks(f"cannot write the totals to {path}: it is a folder")
        if path.is_file():
            with _translated(path):
                path.unlink()

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._seed = event.seed
        elif isinstance(event, RunFinished):
            text = json.dumps(totals_document(event, seed=self._seed), indent=2) + "\n"
            with _translated(self._path):
                _write_whole(self._path, text)

    def close(self) -> None:
        """Does nothing: the file is written when the run finishes, or never."""


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentLacks(f"cannot write the totals to {path}: {error.strerror}") from error


def _write_whole(path: Path, text: str) -> None:
    if path.exists() and not path.is_file():
        # A device or a pipe, such as /dev/stdout, must be written to and never replaced.
        path.write_text(text, encoding="utf-8")
        return
    scratch = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with scratch.open("x", encoding="utf-8") as file:
            file.write(text)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
