"""Two runs or two verdicts compared: what got worse, what got better, what is new and what is gone.

Pure from what was read to lines; a verdict counts as its document (`verify --json`) or its stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem
from collector_harness.reports.escaping import one_line
from collector_harness.reports.lines import Line, Span, Style, line
from collector_harness.reports.reading import read_stream
from collector_harness.reports.recording import INTERRUPTED, recorded
from collector_harness.reports.table import counted

__all__ = ["RANK", "Difference", "Standing", "compare", "read_standing", "render_difference"]

RANK: Final[Mapping[str, int]] = {
    "pass": 0,
    "passed": 0,
    "unsupported": 1,
    "blocked": 2,
    "expected-fail": 2,
    "unexpected-pass": 3,
    "flaky": 4,
    "fail": 5,
    "failed": 5,
    "harness-error": 5,
    "error": 5,
    "unfinished": 5,
    "target-crashed": 6,
    "crashed": 6,
}
"""How bad each verdict and outcome is."""

_FIRST_LINE: Final = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How each requirement, or each case, of one run stands."""

    name: str
    """The file."""
    of: str
    """`requirements` or `cases`."""
    states: Mapping[str, str]
    incomplete: str = ""
    """Why it proves nothing as a whole; empty where it does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What changed; each is an id with what it was and what it is."""

    worse: tuple[tuple[str, str, str], ...]
    better: tuple[tuple[str, str, str], ...]
    new: tuple[tuple[str, str, str], ...]
    gone: tuple[tuple[str, str, str], ...]
    unchanged: int
    incomplete: str = ""
    """Why the newer one proves nothing as a whole."""
    old_incomplete: str = ""
    """Why the older one does not; then much is new that only was not reached before."""

    @property
    def exit_code(self) -> int:
        """1 where something got worse, or is new and broken, or the newer one is incomplete."""
        broken = any(RANK.get(now, 5) >= RANK["unexpected-pass"] for _, _, now in self.new)
        return int(bool(self.worse or broken or self.incomplete))


def read_standing(path: Path) -> Standing:
    """Reads a verdict document or a stream; raises `EnvironmentLacks` and `InvalidInput`."""
    try:
        with path.open("rb") as file:
            first = file.readline(_FIRST_LINE)
    except OSError as error:
        raise EnvironmentLacks(f"cannot read {path}: {error.strerror}") from error
    # The first line of a stream is an event, whole; that of a verdict is the document or a part.
    try:
        event = json.loads(first)
    except (ValueError, RecursionError):
        return _of_document(path)
    if isinstance(event, dict) and "kind" in event and "requirements" not in event:
        return _of_stream(path)
    return _of_document(path)


def _of_stream(path: Path) -> Standing:
    recording = recorded(read_stream(path).events)
    if recording.requirements:
        return Standing(
            name=str(path),
            of="requirements",
            states={
                each.requirement: each.verdict
                for each in recording.requirements
                if each.verdict != "deselected"
            },
            incomplete=recording.incomplete,
        )
    return Standing(
        name=str(path),
        of="cases",
        states={name: case.outcome for name, case in recording.cases.items()},
        incomplete=recording.incomplete,
    )


def _of_document(path: Path) -> Standing:
    refused = InvalidInput(
        Problem(
            message=f"{path} is neither a verdict nor a stream",
            hint="give what `verify --json` or --jsonl wrote",
        )
    )
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise refused from None
    requirements = document.get("requirements") if isinstance(document, dict) else None
    if not isinstance(requirements, list):
        raise refused
    states: dict[str, str] = {}
    for each in requirements:
        key = each.get("id") if isinstance(each, dict) else None
        verdict = each.get("verdict") if isinstance(each, dict) else None
        if not isinstance(key, str) or not isinstance(verdict, str):
            raise refused
        if verdict != "deselected":
            states[key] = verdict
    return Standing(
        name=str(path),
        of="requirements",
        states=states,
        incomplete=INTERRUPTED if document.get("interrupted") is True else "",
    )


def compare(old: Standing, new: Standing) -> Difference:
    """Returns what changed; raises `InvalidInput` for what cannot be compared."""
    if old.of != new.of:
        raise InvalidInput(f"{old.name} is of {old.of}, and {new.name} of {new.of}")
    both = [(key, was, new.states[key]) for key, was in old.states.items() if key in new.states]
    moved = [each for each in both if each[1] != each[2]]
    return Difference(
        worse=tuple(each for each in moved if RANK.get(each[2], 5) > RANK.get(each[1], 5)),
        better=tuple(each for each in moved if RANK.get(each[2], 5) <= RANK.get(each[1], 5)),
        new=tuple((key, "", now) for key, now in new.states.items() if key not in old.states),
        gone=tuple((key, was, "") for key, was in old.states.items() if key not in new.states),
        unchanged=len(both) - len(moved),
        incomplete=new.incomplete,
        old_incomplete=old.incomplete,
    )


def render_difference(found: Difference) -> tuple[Line, ...]:
    """Returns the difference for a person."""
    return tuple(_lines(found))


def _lines(found: Difference) -> Iterator[Line]:
    kinds: tuple[tuple[str, Style, tuple[tuple[str, str, str], ...]], ...] = (
        ("worse", "bad", found.worse),
        ("new", "accent", found.new),
        ("gone", "warning", found.gone),
        ("better", "good", found.better),
    )
    for name, style, each in kinds:
        for key, was, now in each:
            told = " -> ".join(one_line(state, 40) for state in (was, now) if state)
            yield line(Span(f"{name:<7}", style), Span(one_line(key, 300), "strong"), f"  {told}")
    if found.incomplete:
        yield line(Span("incomplete ", "bad"), "the newer one: ", one_line(found.incomplete, 300))
    if found.old_incomplete:
        told = one_line(found.old_incomplete, 300)
        yield line(Span("incomplete ", "warning"), "the older one: ", told)
    counts = ", ".join(f"{len(each)} {name}" for name, _, each in kinds)
    yield line(f"{counts}, {counted(found.unchanged, 'other')} as before")
