"""Files that are made of a whole run at its end: pages, JUnit, Markdown, annotations.

The run is kept while it happens (`recording`), and each file is rendered of it once. A run that
broke off gets its files too, which say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from collector_harness.events import Event
from collector_harness.reports.recording import Recording
from collector_harness.reports.whole_file import WholeFile

__all__ = ["KeptReport", "Outlet", "Render", "file_outlet"]

Render: TypeAlias = Callable[[Recording], str]
"""Makes the text of a file of a run."""

Outlet: TypeAlias = Callable[[Recording], None]
"""Does something with the recording of a whole run."""


def file_outlet(path: Path, render: Render, *, what: str) -> Outlet:
    """Returns an outlet that writes a file; raises `EnvironmentLacks` where that cannot be done."""
    file = WholeFile(path, what=what)
    return lambda recording: file.write_text(render(recording))


@dataclass(slots=True)
class KeptReport:
    """Keeps a run, and gives it to each outlet when it is closed: after everything else that is
    said of it.
    """

    outlets: Sequence[Outlet]
    recording: Recording
    _given: bool = False

    def __call__(self, event: Event) -> None:
        self.recording(event)

    def close(self) -> None:
        """Gives the run to the outlets, also one that broke off; one that never began is nothing
        to tell of.
        """
        given, self._given = self._given, True
        if self.recording.started is not None and not given:
            for outlet in self.outlets:
                outlet(self.recording)
