"""PATHS and `-k` become the cases of a run, checked before anything starts."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from collector_harness.commands.discovery import Found, discover
from collector_harness.commands.ending import NothingToRun
from collector_harness.commands.selection import parse_selection
from collector_harness.errors import InvalidInput, Problem
from collector_harness.events import Part
from collector_harness.scenario.loading import load_scenario
from collector_harness.scenario.ordering import Shard, sharded

if TYPE_CHECKING:
    from collector_harness.scenario.loading import Case, Scenario

__all__ = ["collect", "load_all", "names_of", "part_of"]


def load_all(found: Sequence[Found]) -> tuple[Scenario, ...]:
    """Returns the scenarios of all files; raises `InvalidInput` with the problems of all."""
    scenarios: list[Scenario] = []
    problems: list[Problem] = []
    for each in found:
        try:
            scenarios.append(load_scenario(each.path))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return tuple(scenarios)


def collect(paths: Sequence[str], keywords: str | None) -> tuple[Case, ...]:
    """Returns the cases that are selected, in the order of the paths and of their files.

    Raises `InvalidInput` for paths, files and expressions that cannot be used, and
    `NothingToRun` where no case is selected.
    """
    selection = parse_selection(keywords) if keywords is not None else None
    found = discover(paths)
    scenarios = load_all(found)
    cases = [
        case
        for each, scenario in zip(found, scenarios, strict=True)
        for case in _addressed(each, scenario)
    ]
    if selection is None:
        chosen = cases
    else:
        chosen = [case for case in cases if selection.matches(names_of(case))]
    if not chosen:
        raise NothingToRun(
            f"none of {len(cases)} cases matches -k '{keywords}'; --list shows what there is"
            if cases
            else "the scenario files hold no cases"
        )
    return tuple(chosen)


def part_of(cases: Sequence[Case], shard: Shard) -> tuple[tuple[Case, ...], Part]:
    """Returns the cases of a shard, and what they are a part of; raises `NothingToRun`.

    All rounds of a case belong to the same shard.
    """
    found = sharded(cases, shard, key=lambda case: case.address)
    if not found:
        raise NothingToRun(f"none of {len(cases)} cases belongs to shard {shard}")
    ids = "\n".join(sorted(case.id for case in cases))
    digest = hashlib.sha256(ids.encode()).hexdigest()
    return found, Part(shard=str(shard), cases=len(cases), digest=digest)


def names_of(case: Case) -> tuple[str, ...]:
    """Returns what the words of `-k` are looked for in: id, title, tags and requirements."""
    file = case.scenario.file
    return (case.id, case.scenario.title, *file.tags, *file.requirements)


def _addressed(found: Found, scenario: Scenario) -> Iterator[Case]:
    """Yields the cases that `FILE::title` or `FILE::title[case]` asks for, or all."""
    if not found.only:
        yield from scenario.cases
        return
    wanted = {f"{found.path}::{title}" for title in found.only}
    title = scenario.title
    whole = f"{found.path}::{title}" in wanted
    known = {case.id for case in scenario.cases} | {f"{found.path}::{title}"}
    unknown = sorted(wanted - known)
    if unknown:
        raise InvalidInput([_unknown(text, sorted(known)) for text in unknown])
    yield from (case for case in scenario.cases if whole or case.id in wanted)


def _unknown(text: str, known: Sequence[str]) -> Problem:
    close = difflib.get_close_matches(text, known, n=1)
    return Problem(
        message=f"there is no case '{text}'",
        hint=f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known)}",
    )
