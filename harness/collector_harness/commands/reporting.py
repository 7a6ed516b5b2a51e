"""The reports that the options of a command ask for."""

from __future__ import annotations

from pathlib import Path

from collector_harness.commands.report_options import Wanted, outlets
from collector_harness.reports import ConsoleReport, FanOut, JsonLinesReport, Report, TotalsReport
from collector_harness.reports.kept import KeptReport
from collector_harness.reports.recording import Recording

__all__ = ["open_reports"]


def open_reports(
    *,
    verbose: bool,
    totals: Path | None,
    stream: Path | None,
    verdict_follows: bool = False,
    wanted: Wanted | None = None,
) -> FanOut:
    """Returns the console, and the files that were asked for, as one report.

    Raises `EnvironmentLacks` for a file that cannot be written; nothing is left open then.
    """
    reports: list[Report] = []
    try:
        if totals is not None:
            reports.append(TotalsReport(totals))
        if stream is not None:
            reports.append(JsonLinesReport(stream))
        found = [] if wanted is None else outlets(wanted)
        reports.append(ConsoleReport(verbose=verbose, verdict_follows=verdict_follows))
        if found:
            reports.append(KeptReport(found, Recording()))
    except BaseException:
        FanOut(reports).close()
        raise
    return FanOut(reports)
