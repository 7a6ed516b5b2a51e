"""What a verification is about: the requirements that were asked for, what these build on, and the
cases of both. Nothing is started here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from collector_harness.conformance.applicability import is_left_out
from collector_harness.conformance.ledger import Ledger, ledger
from collector_harness.conformance.profiles import ALL, PROFILES
from collector_harness.conformance.requirements import Catalogue
from collector_harness.conformance.selection import NothingSelected, asked_for
from collector_harness.conformance.suite import Suite, SuiteCase, load_suite
from collector_harness.events import Part
from collector_harness.scenario.ordering import Shard, sharded
from collector_harness.targets import Target

__all__ = ["Plan", "make_plan"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Which cases of the suite are for a target and a question."""

    suite: Suite
    """All cases, as they were at the version that was asked for."""
    asked: frozenset[str]
    """The ids of the requirements that were asked for themselves."""
    selected: frozenset[str]
    """These, and what they build on."""
    part: Part | None
    """Which part of a divided verification it is; None for a whole one."""
    cases: Mapping[str, tuple[SuiteCase, ...]]
    """Of each selected id, the cases that can tell something of such a target."""

    @property
    def needs(self) -> frozenset[str]:
        """The capabilities that its cases take."""
        return frozenset(
            name
            for cases in self.cases.values()
            for each in cases
            for name in (each.scenario.file.needs if each.scenario is not None else ())
        )


def make_plan(
    every: Catalogue,
    target: Target,
    *,
    suite: Path | None = None,
    patterns: Sequence[str] = (),
    profile: str = ALL,
    as_of: str | None = None,
    shard: Shard | None = None,
) -> Plan:
    """Returns what is to be verified; the arguments are those of `verify`.

    Raises `NothingSelected` where that is nothing, and `InvalidInput` for a pattern or a version
    that there is not.
    """
    loaded = load_suite(suite, catalogue=every)
    if as_of is not None:
        loaded = _as_of(loaded, ledger(), as_of)
    if not loaded.covered:
        raise NothingSelected("the suite has no cases: nothing can be verified")
    asked = loaded.covered
    if PROFILES[profile]:
        # What a profile names and no case is for yet is told among the uncovered.
        asked = asked_for(PROFILES[profile], covered=asked, catalogue=every, lenient=True)
    if patterns:
        within = every.with_prerequisites(asked)
        asked = asked_for(patterns, covered=loaded.covered, catalogue=every) & within
    if not asked:
        raise NothingSelected(f"nothing of the profile '{profile}' is selected")
    part = None
    if shard is not None:
        asked, part = _part(every.with_prerequisites(asked) & loaded.covered, shard, loaded)
    selected = every.with_prerequisites(asked) & loaded.covered
    return Plan(
        suite=loaded,
        asked=asked,
        selected=selected,
        part=part,
        cases={
            key: tuple(
                each for each in loaded.cases[key] if not is_left_out(every[key], each, target)
            )
            for key in selected
        },
    )


def _part(selected: frozenset[str], shard: Shard, suite: Suite) -> tuple[frozenset[str], Part]:
    """Returns a part of the requirements, and what it is a part of. What they build on is verified
    in each part again.
    """
    part = frozenset(sharded(sorted(selected), shard, key=str))
    if not part:
        raise NothingSelected(f"none of {len(selected)} requirements belongs to shard {shard}")
    names = sorted(f"{key} {each.name}" for key in selected for each in suite.cases[key])
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return part, Part(shard=str(shard), cases=len(selected), digest=digest)


def _as_of(suite: Suite, entries: Ledger, version: str) -> Suite:
    existing = entries.as_of(version)
    kept = {
        key: tuple(each for each in cases if each.name in existing)
        for key, cases in suite.cases.items()
    }
    return Suite(cases={key: cases for key, cases in kept.items() if cases})
