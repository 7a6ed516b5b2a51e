"""A run as JUnit XML, as Jenkins, GitLab and most others read it.

Of a verification each requirement is a test and each family a suite; of any other run each case is
a test and each file a suite. What is wrong beside them is a test of its own, so that no reader can
take a run that was cut off for a good one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal
from xml.etree import ElementTree as ET

from collector_harness.reports.cards import SHORT, card
from collector_harness.reports.escaping import printable
from collector_harness.reports.lines import plain
from collector_harness.reports.overview import Entry, overview
from collector_harness.reports.recording import CaseRecord, Recording

__all__ = ["render_junit"]

_SKIPPED: Final = frozenset({"deselected", "unsupported", "blocked", "expected-fail"})
_GOOD: Final = frozenset({"pass", "passed"})
_ERRORS: Final = frozenset({"harness-error", "error", "unfinished"})
_NOT_IN_XML: Final = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST: Final = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Test:
    suite: str
    name: str
    seconds: float
    ended: Literal["", "failure", "error", "skipped"]
    message: str = ""
    kind: str = ""
    text: str = ""


def render_junit(recording: Recording) -> str:
    """Returns the document. A SHOULD that is broken is a skipped test with its reason, as it fails
    nothing.
    """
    tests = list(_tests(recording))
    root = ET.Element("testsuites", {"name": "collector-harness", **_counts(tests)})
    began = "" if recording.started is None else recording.started.began.rstrip("Z")
    for suite in dict.fromkeys(test.suite for test in tests):
        inside = [test for test in tests if test.suite == suite]
        element = ET.SubElement(root, "testsuite", {"name": _text(suite), **_counts(inside)})
        if began:
            element.set("timestamp", _text(began))
        if recording.started is not None:
            properties = ET.SubElement(element, "properties")
            for name, value in (
                ("seed", str(recording.started.seed)),
                ("target", recording.started.target),
            ):
                ET.SubElement(properties, "property", name=name, value=_text(value))
        for test in inside:
            _add(element, test)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add(suite: ET.Element, test: _Test) -> None:
    element = ET.SubElement(
        suite,
        "testcase",
        classname=_text(_class_name(test.suite)),
        name=_text(test.name),
        time=f"{test.seconds:.6f}",
    )
    if not test.ended:
        return
    told = ET.SubElement(element, test.ended, message=_text(test.message))
    if test.ended != "skipped":
        told.set("type", test.kind)
        told.text = _text(test.text)
    elif test.text:
        ET.SubElement(element, "system-out").text = _text(test.text)


def _tests(recording: Recording) -> Iterator[_Test]:
    seen = overview(recording)
    for alarm in seen.alarms:
        yield _Test(
            suite="collector-harness",
            name="the run is complete and fits together",
            seconds=0.0,
            ended="error" if recording.incomplete else "failure",
            message=alarm,
            kind="finding",
            text=alarm,
        )
    titles = {group.key: group.title for group in seen.groups}
    for entry in seen.entries:
        yield _test(entry, titles.get(entry.group, entry.group))


def _test(entry: Entry, suite: str) -> _Test:
    return _Test(
        suite=suite,
        name=f"{entry.label} {entry.text}".strip(),
        seconds=sum(case.seconds for case in entry.cases),
        ended=_ended(entry),
        message=f"{entry.level} {entry.state}: {entry.reason}".strip(),
        kind=entry.state,
        text="\n".join(filter(None, map(_evidence, entry.cases))) or entry.reason,
    )


def _ended(entry: Entry) -> Literal["", "failure", "error", "skipped"]:
    if entry.state in _GOOD:
        return ""
    if entry.state in _ERRORS:
        return "error"
    if entry.state in _SKIPPED or entry.level == "SHOULD":
        return "skipped"
    return "failure"


def _evidence(case: CaseRecord) -> str:
    if case.finished is None:
        return f"{case.started.case} has no result"
    if case.finished.failure is None:
        return ""
    return plain(card(case.finished, bounds=SHORT, describe=lambda _: None))


def _counts(tests: list[_Test]) -> dict[str, str]:
    return {
        "tests": str(len(tests)),
        "failures": str(sum(test.ended == "failure" for test in tests)),
        "errors": str(sum(test.ended == "error" for test in tests)),
        "skipped": str(sum(test.ended == "skipped" for test in tests)),
        "time": f"{sum(test.seconds for test in tests):.6f}",
    }


def _class_name(suite: str) -> str:
    return suite.removesuffix(".yaml").removesuffix(".scenario").replace("/", ".").strip(".")


def _text(value: str) -> str:
    """Returns text that XML can hold, bounded, and in which nothing is hidden."""
    lines = value[:_LONGEST].split("\n")
    return _NOT_IN_XML.sub("?", "\n".join(map(printable, lines)))
