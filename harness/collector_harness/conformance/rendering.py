"""A verdict for a person: the matrix of requirements by family, and a card for each breach.

Pure: from the result to lines. Colours and the width of a terminal are a screen's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from collector_harness.conformance.page import MARKS
from collector_harness.conformance.requirements import Catalogue, Requirement, catalogue
from collector_harness.conformance.suite import load_suite
from collector_harness.conformance.verdicts import RequirementVerdict, Verdict, Verdicts
from collector_harness.events import CaseFinished, Outcome
from collector_harness.reports.cards import SHORT, WHOLE, card
from collector_harness.reports.escaping import one_line
from collector_harness.reports.lines import Line, Span, Style, line, plain

__all__ = ["explain", "render_verdicts"]

_STYLES: Final[dict[Verdict, Style]] = {
    Verdict.PASS: "good",
    Verdict.FAIL: "bad",
    Verdict.TARGET_CRASHED: "bad",
    Verdict.HARNESS_ERROR: "bad",
    Verdict.BLOCKED: "warning",
    Verdict.FLAKY: "bad",
    Verdict.EXPECTED_FAIL: "warning",
    Verdict.UNEXPECTED_PASS: "bad",
    Verdict.UNSUPPORTED: "warning",
    Verdict.UNFINISHED: "warning",
    Verdict.DESELECTED: "faint",
}
_COLUMNS = 160
_MARKS_IN_ROW = 24
_OTHERS = 40
_ASKED = 8
_MARKS: Final[dict[Verdict, str]] = {
    Verdict.PASS: ".",
    Verdict.FAIL: "F",
    Verdict.TARGET_CRASHED: "C",
    Verdict.HARNESS_ERROR: "E",
    Verdict.FLAKY: "~",
    Verdict.UNEXPECTED_PASS: "X",
    Verdict.EXPECTED_FAIL: "x",
    Verdict.BLOCKED: "b",
    Verdict.UNSUPPORTED: "-",
    Verdict.UNFINISHED: "?",
    Verdict.DESELECTED: " ",
}


def render_verdicts(verdicts: Verdicts, *, whole: bool = False) -> tuple[Line, ...]:
    """Returns the verdict as lines: the matrix, the findings, and then the totals.

    The matrix has a row for each family, with a mark for each requirement; with `whole` a line for
    each requirement, deselected ones too, and findings without cuts. Text that came from the
    target is escaped.
    """
    if whole:
        return (*_lists(verdicts), (), *_findings(verdicts, whole=True), *_summary(verdicts))
    return (
        *_matrix(verdicts),
        (),
        *_findings(verdicts, whole=False),
        *_others(verdicts),
        *_summary(verdicts),
    )


def explain(key: str) -> str:
    """Returns all that the catalogue says of a requirement, as plain text.

    Raises `InvalidInput` with a did-you-mean for an unknown id.
    """
    every = catalogue()
    requirement = every[key]
    lines = [line(f"{requirement.id}  {requirement.level}  {requirement.text}")]
    lines += [
        line(f"  source: {source}, {every.sources[source]}") for source in requirement.sources
    ]
    lines += [line(f"  builds on: {each}  {every[each].text}") for each in requirement.builds_on]
    lines += [line(f"  note: {MARKS[mark]}") for mark in requirement.marks]
    loaded = load_suite(catalogue=every)
    for case in loaded.cases.get(key, ()):
        lines.append(line(f"  case: {case.name.partition('::')[2]}"))
        lines.append(line(f"        {case.source}"))
    return plain(lines)


def _findings(verdicts: Verdicts, *, whole: bool) -> Iterator[Line]:
    for each in verdicts.requirements:
        if not (each.verdict.counts or each.verdict is Verdict.HARNESS_ERROR):
            continue
        yield line(
            Span(f"{each.requirement.id}  {each.verdict.value}", "bad"),
            f"  {each.requirement.level}  ",
            Span(each.requirement.text, "strong"),
        )
        unresolved = [case for case in each.cases if case.outcome is not Outcome.PASSED]
        for case in unresolved:
            if case.outcome is None:
                yield line("  ", one_line(case.unsupported or each.reason, _COLUMNS))
                yield line("  ", Span("reproduce:", "accent"))
                # Never cut: half a command is of no use to whoever pastes it.
                yield line("    ", one_line(each.reproduce, 100_000))
                continue
            finished = CaseFinished(
                case=case.case,
                scenario="",
                source=case.source,
                outcome=case.outcome,
                seconds=case.seconds,
                requirements=(each.requirement.id,),
                failure=case.failure,
            )
            yield from card(
                finished, bounds=WHOLE if whole else SHORT, describe=_described, request=True
            )
        yield ()


def _matrix(verdicts: Verdicts) -> Iterator[Line]:
    """Yields a row per family, within 80 columns, and what the marks mean."""
    every = catalogue()
    families = list(every.families.items())
    about = max(len(f"{family:<5} {title}") for family, title in families)
    for family, title in families:
        row = [each for each in verdicts.requirements if each.requirement.family == family]
        if not row or all(each.verdict is Verdict.DESELECTED for each in row):
            continue
        begin = f"{family:<5} {title}".ljust(about)
        marks = [Span(_MARKS[each.verdict], _STYLES[each.verdict]) for each in row]
        count = Counter(each.verdict for each in row if each.verdict is not Verdict.DESELECTED)
        told = f"{count[Verdict.PASS]} of {count.total()} pass"
        for start in range(0, len(marks), _MARKS_IN_ROW):
            cells = marks[start : start + _MARKS_IN_ROW]
            room = " " * (_MARKS_IN_ROW - len(cells))
            last = start + _MARKS_IN_ROW >= len(marks)
            end = Span(f"  {told}" if last else "", "faint")
            yield line(Span(begin, "strong"), "  ", *cells, room, end)
            begin = " " * about
    used = dict.fromkeys(each.verdict for each in verdicts.requirements)
    legend = [
        f"{_MARKS[verdict]} {verdict.value}"
        for verdict in Verdict
        if verdict in used and verdict is not Verdict.DESELECTED
    ]
    for start in range(0, len(legend), 5):
        yield line(Span("  " + "   ".join(legend[start : start + 5]), "faint"))


def _others(verdicts: Verdicts) -> Iterator[Line]:
    """Yields a line for each requirement that is neither met nor deselected."""
    quiet = (Verdict.PASS, Verdict.DESELECTED)
    rows = [each for each in verdicts.requirements if each.verdict not in quiet]
    yield from (_row(each) for each in rows[:_OTHERS])
    if len(rows) > _OTHERS:
        yield line(Span(f"  … {len(rows) - _OTHERS} more; -v shows all", "faint"))
    if rows:
        yield ()


def _lists(verdicts: Verdicts) -> Iterator[Line]:
    every = catalogue()
    for family, about in every.families.items():
        rows = [each for each in verdicts.requirements if each.requirement.family == family]
        if rows:
            yield line(Span(f"{family:<5} {about}", "strong"))
            yield from (_row(each) for each in rows)


def _row(each: RequirementVerdict) -> Line:
    said = each.requirement.text if each.verdict is Verdict.PASS else each.reason
    return line(
        f"  {each.requirement.id:<9}{each.requirement.level:<7}",
        Span(f"{each.verdict.value:<15}", _STYLES[each.verdict]),
        Span(one_line(said, _COLUMNS), "faint" if each.verdict is Verdict.PASS else "plain"),
    )


def _summary(verdicts: Verdicts) -> Iterator[Line]:
    for finding in verdicts.findings:
        yield line(Span("finding: ", "bad"), one_line(finding, 1000))
    for notice in verdicts.notices:
        yield line(Span("note: ", "accent"), one_line(notice, 1000))
    counted: list[str | Span] = []
    for verdict, count in verdicts.totals.items():
        if count:
            counted += [", " if counted else "", Span(f"{count} {verdict.value}", _STYLES[verdict])]
    yield line(
        Span("verdict on ", "strong"), Span(one_line(verdicts.target, _COLUMNS), "strong"), ": ",
        *counted,
    )  # fmt: skip
    yield line(
        f"  suite {verdicts.suite_version}, seed {verdicts.seed}, {verdicts.calls} calls in "
        f"{verdicts.seconds:.1f} s; {len(verdicts.uncovered)} further requirements have no case yet"
    )
    yield from _asked(verdicts)
    yield from _warnings(verdicts)


def _asked(verdicts: Verdicts) -> Iterator[Line]:
    """Yields what became of the few that were asked for, where others were verified beneath."""
    shown = [each for each in verdicts.requirements if each.asked]
    beneath = [
        each
        for each in verdicts.requirements
        if not each.asked and each.verdict is not Verdict.DESELECTED
    ]
    if beneath and len(shown) <= _ASKED:
        told: list[str | Span] = []
        for each in shown:
            told += [", " if told else "", f"{each.requirement.id} "]
            told.append(Span(each.verdict.value, _STYLES[each.verdict]))
        yield line(Span("  asked for: ", "strong"), *told)


def _warnings(verdicts: Verdicts) -> Iterator[Line]:
    """Yields what must not be taken for more than it is."""
    if verdicts.interrupted:
        left = verdicts.totals[Verdict.UNFINISHED]
        yield line(
            Span("  interrupted: ", "bad"),
            f"{left} without a verdict; this is what is known so far, and proves nothing as a whole"
            if left
            else "all cases had ended; this is what is known",
        )
    elif verdicts.judged_nothing:
        yield line(
            Span("  nothing was judged ", "bad"),
            "of what was asked; what it builds on passing says nothing about it",
        )
    musts = sum(_is_breach_of(each, "MUST") for each in verdicts.requirements)
    shoulds = sum(_is_breach_of(each, "SHOULD") for each in verdicts.requirements)
    if shoulds and not musts:
        yield line(f"  {shoulds} SHOULD broken: reported, and no failure")


def _is_breach_of(each: RequirementVerdict, level: str) -> bool:
    return each.verdict.counts and each.requirement.level == level


def _described(key: str) -> str | None:
    every = catalogue()
    return _cited(every, every.requirements[key]) if key in every else None


def _cited(every: Catalogue, requirement: Requirement) -> str:
    sources = "; ".join(every.sources[source] for source in requirement.sources)
    return f"{requirement.level}: {requirement.text} ({sources})"
