"""What a report is, and several of them as one. No report of its own lives here."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from collector_harness.events import Event

__all__ = ["FanOut", "Report"]


class Report(Protocol):
    """Takes every event of a run in order, and is closed once, also after a run that broke off."""

    def __call__(self, event: Event, /) -> None:
        """Takes one event; called on the engine's loop only, so it must not block for long."""

    def close(self) -> None:
        """Lets go of files and of the terminal; closing twice does nothing the second time."""


class FanOut:
    """Several reports as one; each gets every event, in the order in which they are given.

    A report that raises is not called again; the others still get every event. The first
    error is raised by `close`, after every report has been closed: a report that could not
    be written must not pass for one that was.
    """

    def __init__(self, reports: Sequence[Report]) -> None:
        self._reports = list(reports)
        self._alive = list(reports)
        self._error: Exception | None = None

    def __call__(self, event: Event) -> None:
        for report in tuple(self._alive):
            try:
                report(event)
            except Exception as error:  # noqa: BLE001 - raised by `close`
                self._alive.remove(report)
                self._error = self._error or error

    def close(self) -> None:
        reports, self._reports, self._alive = self._reports, [], []
        for report in reports:
            try:
                report.close()
            except Exception as error:  # noqa: BLE001 - raised by `close`
                self._error = self._error or error
        first, self._error = self._error, None
        if first is not None:
            raise first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
