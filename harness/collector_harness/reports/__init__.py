"""Reports read events and show or store them; none of them starts, stops or decides anything.

A report is any object that is called with each event and closed once. `FanOut`
is several reports as one; `ConsoleReport`, `JsonLinesReport` and `TotalsReport`
are the ones that come with the harness.
"""

from collector_harness.reports.console import ConsoleReport
from collector_harness.reports.jsonl import JsonLinesReport
from collector_harness.reports.report import FanOut, Report
from collector_harness.reports.totals import TotalsReport

__all__ = ["ConsoleReport", "FanOut", "JsonLinesReport", "Report", "TotalsReport"]
