"""What a page says of a run before anything in it is opened: pure, from a recording to values.

A verification is told by requirements and their families, any other run by cases and their files;
both become the same kinds of values, so that a page needs to know only these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from collector_harness.conformance.requirements import catalogue
from collector_harness.events import RequirementJudged
from collector_harness.reports.cards import brief
from collector_harness.reports.paths import shared_folder, shortened
from collector_harness.reports.recording import CaseRecord, Recording
from collector_harness.reports.table import counted

__all__ = ["MARKS", "Cell", "Entry", "Group", "MatrixRow", "Overview", "overview"]

MARKS: Final[Mapping[str, str]] = {
    "pass": "✓",
    "passed": "✓",
    "fail": "✗",
    "failed": "✗",
    "target-crashed": "†",
    "crashed": "†",
    "flaky": "~",
    "unexpected-pass": "!",
    "expected-fail": "x",
    "harness-error": "E",
    "error": "E",
    "unfinished": "?",
    "blocked": "b",
    "unsupported": "-",
    "deselected": "·",
}
"""What stands for a verdict or an outcome where there is no room for its name."""

_WORST: Final[Sequence[str]] = (
    "fail", "failed", "target-crashed", "crashed", "flaky", "harness-error", "error", "unfinished",
    "unexpected-pass", "expected-fail", "blocked", "unsupported", "pass", "passed", "deselected",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One requirement in the matrix."""

    text: str
    state: str
    title: str
    anchor: str
    """The key of the entry that it leads to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixRow:
    """One family in the matrix."""

    family: str
    about: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Entries that stand together: a family, or a file."""

    key: str
    title: str
    counted: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What is opened: a requirement with its cases, or a case."""

    key: str
    requirement: bool
    group: str
    state: str
    text: str
    label: str = ""
    level: str = ""
    families: tuple[str, ...] = ()
    reason: str = ""
    side: str = ""
    about: tuple[tuple[str, str], ...] = ()
    reproduce: str = ""
    cases: tuple[CaseRecord, ...] = ()
    missing: tuple[str, ...] = ()
    """Cases that were not run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """The page without what is inside its entries."""

    title: str
    kicker: str
    heading: str
    ended: str
    good: bool
    facts: tuple[tuple[str, str], ...]
    alarms: tuple[str, ...]
    notes: tuple[str, ...]
    matrix: tuple[MatrixRow, ...]
    groups: tuple[Group, ...]
    entries: tuple[Entry, ...]
    states: tuple[tuple[str, int], ...]
    """Each verdict or outcome that there is, the worst first, with its count."""
    levels: tuple[str, ...]
    families: tuple[tuple[str, str], ...]
    footer: str


def overview(recording: Recording) -> Overview:
    """Returns what the page says of a recording."""
    return _of_verdict(recording) if recording.requirements else _of_run(recording)


def _of_verdict(recording: Recording) -> Overview:
    verdict = recording.verdict
    titles = {} if verdict is None else dict(verdict.families)
    target = _target(recording) if verdict is None else verdict.target
    entries = tuple(_requirement_entry(each, recording) for each in recording.requirements)
    families = tuple(dict.fromkeys(entry.group for entry in entries))
    suite = () if verdict is None else (("suite", f"version {verdict.suite_version}"),)
    states = _states(entries)
    broken = sum(
        entry.state in ("fail", "target-crashed", "flaky") and entry.level == "MUST"
        for entry in entries
    )
    good = recording.exit_code == 0
    if recording.incomplete:
        ended = "This verdict is not complete"
    elif good:
        ended = "Every MUST that was verified is met"
    elif broken:
        ended = f"{counted(broken, 'MUST')} broken"
    else:
        ended = "Not every requirement could be verified"
    alarms = (*_alarms(recording), *(() if verdict is None else verdict.findings))
    return Overview(
        title=f"Verdict on {target}",
        kicker="Verdict on a collector",
        heading=target,
        ended=ended,
        good=good,
        facts=(*suite, *_facts(recording)),
        alarms=alarms,
        notes=(*(() if verdict is None else verdict.notices), *recording.notices),
        matrix=tuple(
            MatrixRow(
                family=family,
                about=titles.get(family, ""),
                cells=tuple(
                    Cell(
                        text=f"{entry.key.rpartition('-')[2]}{MARKS.get(entry.state, '?')}",
                        state=entry.state,
                        title=f"{entry.key} {entry.level} {entry.state}: {entry.text}",
                        anchor=entry.key,
                    )
                    for entry in entries
                    if entry.group == family
                ),
            )
            for family in families
        ),
        groups=tuple(
            Group(
                key=family,
                title=f"{family} {titles.get(family, '')}".rstrip(),
                counted=_tally([entry for entry in entries if entry.group == family]),
            )
            for family in families
        ),
        entries=entries,
        states=states,
        levels=tuple(dict.fromkeys(entry.level for entry in entries)),
        families=tuple(
            (family, f"{family} {titles.get(family, '')}".rstrip()) for family in families
        ),
        footer="Made by collector-harness from the event stream of the verification.",
    )


def _requirement_entry(judged: RequirementJudged, recording: Recording) -> Entry:
    known = [recording.cases[name] for name in judged.cases if name in recording.cases]
    about = [("source", each) for each in judged.sources]
    if judged.blocked_by:
        about.append(("blocked by", ", ".join(judged.blocked_by)))
    return Entry(
        key=judged.requirement,
        requirement=True,
        group=judged.requirement.partition("-")[0],
        state=judged.verdict,
        label=judged.requirement,
        level=judged.level,
        families=(judged.requirement.partition("-")[0],),
        text=judged.text,
        reason="" if judged.verdict == "deselected" else judged.reason,
        about=tuple(about),
        reproduce=judged.reproduce,
        cases=tuple(known),
        missing=tuple(name for name in judged.cases if name not in recording.cases),
    )


def _of_run(recording: Recording) -> Overview:
    cases = list(recording.cases.values())
    folder = shared_folder([case.started.source for case in cases])
    entries = tuple(_case_entry(case) for case in cases)
    sources = tuple(dict.fromkeys(entry.group for entry in entries))
    finished = recording.finished
    total = 0 if recording.started is None else recording.started.cases
    missing = max(0, total - sum(case.finished is not None for case in cases))
    failed = sum(case.finished is not None for case in recording.failures)
    left_out = sum(case.outcome == "unsupported" for case in cases)
    good = recording.exit_code == 0
    if recording.incomplete:
        ended = "This run is not complete"
    elif good:
        ended = f"{counted(len(cases) - left_out, 'case')} passed"
        ended += f", {left_out} unsupported" if left_out else ""
    elif not cases:
        ended = "Nothing ran"
    else:
        ended = f"{failed} of {counted(len(cases), 'case')} failed"
    facts = list(_facts(recording))
    if missing and finished is not None:
        facts.append(("not run", counted(missing, "case")))
    return Overview(
        title=f"{ended}: {_target(recording)}",
        kicker="Scenarios on meshes of collectors",
        heading=f"{counted(len(cases), 'case')} of {counted(len(sources), 'file')}",
        ended=ended,
        good=good,
        facts=(("target", _target(recording)), *facts),
        alarms=_alarms(recording),
        notes=tuple(recording.notices),
        matrix=tuple(_matrix_of_cases(cases)),
        groups=tuple(
            Group(
                key=source,
                title=shortened(source, folder),
                counted=_tally([entry for entry in entries if entry.group == source]),
            )
            for source in sources
        ),
        entries=entries,
        states=_states(entries),
        levels=(),
        families=tuple(
            (family, family)
            for family in dict.fromkeys(name for entry in entries for name in entry.families)
        ),
        footer="Made by collector-harness from the event stream of the run.",
    )


def _case_entry(case: CaseRecord) -> Entry:
    started = case.started
    _, _, title = started.case.partition("::")
    failure = None if case.finished is None else case.finished.failure
    reason = "" if failure is None else failure.message.partition("\n")[0]
    return Entry(
        key=started.case,
        requirement=False,
        group=started.source,
        state=case.outcome,
        families=tuple(dict.fromkeys(each.partition("-")[0] for each in started.requirements)),
        text=title or started.case,
        reason=reason,
        side=brief(case.seconds),
        about=(("requirements", ", ".join(started.requirements)),) if started.requirements else (),
        reproduce="" if failure is None else failure.reproduce,
        cases=(case,),
    )


def _matrix_of_cases(cases: Sequence[CaseRecord]) -> Iterator[MatrixRow]:
    """Yields the requirements that cases stand for; a cell leads to what stands for it worst."""
    standing: dict[str, CaseRecord] = {}
    for case in cases:
        for requirement in case.started.requirements:
            known = standing.get(requirement)
            if known is None or _rank(case.outcome) < _rank(known.outcome):
                standing[requirement] = case
    titles = catalogue().families if standing else {}
    families: dict[str, list[str]] = {}
    for requirement in sorted(standing):
        families.setdefault(requirement.partition("-")[0], []).append(requirement)
    for family, requirements in families.items():
        yield MatrixRow(
            family=family,
            about=titles.get(family, ""),
            cells=tuple(
                Cell(
                    text=f"{each.rpartition('-')[2]}{MARKS[standing[each].outcome]}",
                    state=standing[each].outcome,
                    title=f"{each} {standing[each].outcome}: {standing[each].started.scenario}",
                    anchor=standing[each].started.case,
                )
                for each in requirements
            ),
        )


def _states(entries: Sequence[Entry]) -> tuple[tuple[str, int], ...]:
    count = Counter(entry.state for entry in entries)
    return tuple(sorted(count.items(), key=lambda item: _rank(item[0])))


def _rank(state: str) -> int:
    return _WORST.index(state) if state in _WORST else 0


def _tally(entries: Sequence[Entry]) -> str:
    return ", ".join(f"{count} {state}" for state, count in _states(entries))


def _target(recording: Recording) -> str:
    return "" if recording.started is None else recording.started.target


def _alarms(recording: Recording) -> tuple[str, ...]:
    return (
        (f"{recording.incomplete[0].upper()}{recording.incomplete[1:]}.",)
        if (recording.incomplete)
        else ()
    )


def _facts(recording: Recording) -> Iterator[tuple[str, str]]:
    started, finished = recording.started, recording.finished
    if started is not None:
        if started.began:
            yield "began", started.began.replace("T", " ").replace("Z", " UTC")
        yield "seed", str(started.seed)
        if started.part is not None:
            yield "shard", started.part.shard
    if finished is not None:
        yield "took", brief(finished.seconds)
        yield "exit code", str(int(finished.exit_code))
    calls = sum(len(case.calls) + case.calls_left_out for case in recording.cases.values())
    yield "cases", str(len(recording.cases))
    yield "calls", str(calls)
