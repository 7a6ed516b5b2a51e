"""What a run means: the results of cases become a verdict for each requirement.

Pure: values in, values out. How the cases are run is `verify`'s business, and how verdicts are
shown is `rendering`'s.
"""

from __future__ import annotations

import dataclasses
import enum
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from collector_harness.conformance.requirements import Catalogue, Requirement
from collector_harness.errors import ExitCode
from collector_harness.events import Failure, Outcome

__all__ = [
    "DOCUMENT_VERSION",
    "CaseResult",
    "RequirementVerdict",
    "Verdict",
    "Verdicts",
    "decide",
    "reproduce",
]

DOCUMENT_VERSION = 1
"""Of what `Verdicts.as_json` returns."""


class Verdict(enum.StrEnum):
    """What was found out about one requirement."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    """A case of it saw something else than the requirement says."""
    FLAKY = "flaky"
    """A case of it passed in some rounds and not in others."""
    EXPECTED_FAIL = "expected-fail"
    """It is broken, and the file of known failures says so."""
    UNEXPECTED_PASS = "unexpected-pass"  # noqa: S105 - not a password
    """The file of known failures says that it is broken, and it was not seen to be."""
    UNSUPPORTED = "unsupported"
    """The target cannot show it; nothing is known."""
    BLOCKED = "blocked"
    """Something that it builds on is broken; nothing is known."""
    TARGET_CRASHED = "target-crashed"
    """A collector under test died in a case of it, or did not come up for one."""
    HARNESS_ERROR = "harness-error"
    """The harness could not do what a case asks, or has no result for it."""
    UNFINISHED = "unfinished"
    """The run was interrupted before its cases had ended; nothing is known."""
    DESELECTED = "deselected"
    """It was not asked for."""

    @property
    def is_breach(self) -> bool:
        """Whether the collector is shown not to meet the requirement."""
        return self in (Verdict.FAIL, Verdict.TARGET_CRASHED, Verdict.EXPECTED_FAIL)

    @property
    def counts(self) -> bool:
        """Whether a MUST with this verdict fails the whole."""
        return self in (Verdict.FAIL, Verdict.TARGET_CRASHED, Verdict.FLAKY)

    @property
    def tells_nothing(self) -> bool:
        """Whether it leaves open how the collector does it."""
        return self in (
            Verdict.UNSUPPORTED,
            Verdict.BLOCKED,
            Verdict.UNFINISHED,
            Verdict.DESELECTED,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseResult:
    """What one case of a requirement came to."""

    case: str
    """Its id, such as `DSP-004.scenario.yaml::title`."""
    source: str
    """The file."""
    outcome: Outcome | None
    """None where there is no result: it was not run, or the run ended before."""
    seconds: float = 0.0
    failure: Failure | None = None
    rounds: tuple[Outcome, ...] = ()
    """How each round ended, where there was more than one; `outcome` is the worst of them."""
    unsupported: str = ""
    """Why the case was not run at all against this target; empty where it could be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequirementVerdict:
    """What was found out about one requirement, and by what."""

    requirement: Requirement
    verdict: Verdict
    reason: str = ""
    """In one sentence; empty for a pass."""
    cases: tuple[CaseResult, ...] = ()
    blocked_by: tuple[str, ...] = ()
    """The ids of the breaches that it builds on; only for `blocked`."""
    reproduce: str = ""
    """A command line that verifies this requirement alone again; only where it did not pass."""
    asked: bool = True
    """Whether it was asked for itself, and not only because something else builds on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdicts:
    """What was found out about one collector."""

    suite_version: str
    """The version of the requirement catalogue."""
    target: str
    """The collector, as the user named it."""
    seed: int
    """From which every random choice of the run came."""
    requirements: tuple[RequirementVerdict, ...]
    """Of every requirement that the suite has a case for, in the catalogue's order."""
    uncovered: tuple[str, ...]
    """The ids of the requirements that the suite has no case for."""
    seconds: float
    calls: int
    """How many calls the harness made itself."""
    notices: tuple[str, ...] = ()
    """What a person should know and what fails nothing."""
    findings: tuple[str, ...] = ()
    """What is wrong beside the requirements, and fails the whole: what the target declares and
    does not have, and entries of known failures that match nothing."""
    as_of: str | None = None
    """The version of the suite whose cases were run; None for all."""
    interrupted: bool = False
    """Whether the run ended before all of its cases had: then this is what is known so far."""

    @property
    def judged_nothing(self) -> bool:
        """Whether nothing was found out about any requirement that was asked for."""
        return all(each.verdict.tells_nothing for each in self.requirements if each.asked)

    @property
    def totals(self) -> Mapping[Verdict, int]:
        """How many requirements got each verdict; every verdict is there."""
        count = Counter(each.verdict for each in self.requirements)
        return {verdict: count[verdict] for verdict in Verdict}

    @property
    def exit_code(self) -> ExitCode:
        """130 where it was interrupted; 1 where a MUST is broken, flaky or blocked, or known
        failures or declarations are not true; 6 where the harness failed, 4 where nothing was
        found out of what was asked, else 0. A broken SHOULD is reported and fails nothing, and so
        does what is known to fail and what that blocks.
        """
        if self.interrupted:
            return ExitCode.INTERRUPTED
        musts = [each for each in self.requirements if each.requirement.level == "MUST"]
        found = {each.verdict for each in self.requirements}
        excused = {
            each.requirement.id
            for each in self.requirements
            if each.verdict is Verdict.EXPECTED_FAIL
        }
        if any(
            each.verdict.counts
            or (each.verdict is Verdict.BLOCKED and not set(each.blocked_by) <= excused)
            for each in musts
        ):
            return ExitCode.FAILED
        if self.findings or Verdict.UNEXPECTED_PASS in found:
            return ExitCode.FAILED
        if Verdict.HARNESS_ERROR in found:
            return ExitCode.INTERNAL_FAULT
        if self.judged_nothing:
            return ExitCode.NOTHING_RAN
        return ExitCode.OK

    def __getitem__(self, key: str) -> RequirementVerdict:
        """Returns what was found out about that id; raises `KeyError`."""
        for each in self.requirements:
            if each.requirement.id == key:
                return each
        raise KeyError(key)

    def as_json(self) -> dict[str, object]:
        """Returns the whole as JSON values."""
        return {
            "kind": "verdict",
            "version": DOCUMENT_VERSION,
            "suite": {
                "version": self.suite_version,
                "covered": len(self.requirements),
                "uncovered": list(self.uncovered),
                "as_of": self.as_of,
            },
            "target": self.target,
            "seed": self.seed,
            "seconds": self.seconds,
            "calls": self.calls,
            "exit_code": int(self.exit_code),
            "interrupted": self.interrupted,
            "totals": {verdict.value: count for verdict, count in self.totals.items()},
            "notices": list(self.notices),
            "findings": list(self.findings),
            "requirements": [_requirement_json(each) for each in self.requirements],
        }


def decide(
    results: Mapping[str, Sequence[CaseResult]],
    *,
    selected: frozenset[str],
    catalogue: Catalogue,
    target: str,
    seed: int,
    known: Mapping[str, str] = MappingProxyType({}),
    asked: frozenset[str] | None = None,
    interrupted: bool = False,
) -> tuple[RequirementVerdict, ...]:
    """Returns the verdict of each id in `results`, in the catalogue's order.

    `known` are the failures that are known and excused, by id with the reason. Of those that are
    `selected` only the `asked` ones were asked for themselves, all where that is None. After an
    `interrupted` run, what has no result is unfinished.

    A requirement that builds, however far down, on one whose cases showed a breach is blocked
    whatever its own cases say: a pass that rests on something broken proves nothing.
    """
    own = {
        key: _own_verdict(cases, interrupted)
        if key in selected
        else (Verdict.DESELECTED, "not selected")
        for key, cases in results.items()
    }
    for key, reason in known.items():
        if key in own:
            own[key] = _excused(*own[key], reason)
    breaches = {key for key, (verdict, _) in own.items() if verdict.is_breach}
    decided: list[RequirementVerdict] = []
    for requirement in catalogue:
        if requirement.id not in results:
            continue
        verdict, reason = own[requirement.id]
        below = catalogue.with_prerequisites(requirement.builds_on) & breaches
        roots = tuple(key for key in catalogue.requirements if key in below)
        if roots and verdict is not Verdict.DESELECTED:
            verdict = Verdict.BLOCKED
            reason = f"builds on {_and(roots)}, which {'is' if len(roots) == 1 else 'are'} broken"
        decided.append(
            RequirementVerdict(
                requirement=requirement,
                verdict=verdict,
                reason=reason,
                cases=tuple(results[requirement.id]) if requirement.id in selected else (),
                blocked_by=roots if verdict is Verdict.BLOCKED else (),
                reproduce=""
                if verdict in (Verdict.PASS, Verdict.DESELECTED)
                else reproduce(target, requirement.id, seed),
                asked=requirement.id in (selected if asked is None else asked),
            )
        )
    return tuple(decided)


def _excused(verdict: Verdict, seen: str, reason: str) -> tuple[Verdict, str]:
    if verdict in (Verdict.FAIL, Verdict.TARGET_CRASHED, Verdict.FLAKY):
        return Verdict.EXPECTED_FAIL, f"{reason} ({seen})" if seen else reason
    if verdict is Verdict.PASS:
        return Verdict.UNEXPECTED_PASS, f"it is said to fail: {reason}"
    return verdict, seen


def _own_verdict(cases: Sequence[CaseResult], interrupted: bool) -> tuple[Verdict, str]:
    """Judges the cases of one requirement by themselves: the firmest finding wins."""
    for case in cases:
        passed = case.rounds.count(Outcome.PASSED)
        if 0 < passed < len(case.rounds) and Outcome.ERROR not in case.rounds:
            others = [each for each in cases if each is not case and each.outcome is not None]
            if all(each.outcome is Outcome.PASSED or each.rounds for each in others):
                seen = f": {_reason(case.failure)}" if case.failure else ""
                return Verdict.FLAKY, f"it passed in {passed} of {len(case.rounds)} rounds{seen}"
    for outcome, verdict in (
        (Outcome.FAILED, Verdict.FAIL),
        (Outcome.CRASHED, Verdict.TARGET_CRASHED),
        (Outcome.ERROR, Verdict.HARNESS_ERROR),
    ):
        for case in cases:
            if case.outcome is outcome:
                return verdict, _reason(case.failure) if case.failure else outcome.value
    for case in cases:
        if case.outcome is None and not case.unsupported:
            if interrupted:
                return Verdict.UNFINISHED, "the run was interrupted before"
            return Verdict.HARNESS_ERROR, f"there is no result of {case.case}"
    unsupported = [case.unsupported for case in cases if case.unsupported]
    # A part that was seen does not vouch for a part that was not.
    if unsupported or not cases:
        return Verdict.UNSUPPORTED, unsupported[0] if unsupported else "it has no case"
    return Verdict.PASS, ""


def reproduce(target: str, key: str, seed: int) -> str:
    """Returns the command line that verifies one requirement again, with the same seed."""
    return shlex.join(["collector-harness", "verify", target, "-k", key, "--seed", str(seed)])


def _requirement_json(each: RequirementVerdict) -> dict[str, object]:
    return {
        "id": each.requirement.id,
        "level": each.requirement.level,
        "text": each.requirement.text,
        "sources": list(each.requirement.sources),
        "verdict": each.verdict.value,
        "reason": each.reason,
        "blocked_by": list(each.blocked_by),
        "asked": each.asked,
        "cases": [
            {
                "case": case.case,
                "source": case.source,
                "outcome": case.outcome.value if case.outcome else None,
                "rounds": [each.value for each in case.rounds],
                "unsupported": case.unsupported,
                "seconds": case.seconds,
                "evidence": dataclasses.asdict(case.failure) if case.failure else None,
            }
            for case in each.cases
        ],
        "reproduce": each.reproduce,
    }


def _reason(failure: Failure) -> str:
    """Returns in one line what was expected and what came."""
    if not failure.mismatches:
        return failure.message.partition("\n")[0]
    first, *more = failure.mismatches
    told = f"{first.path or 'the answer'}: expected {first.expected}, was {first.actual}"
    return f"{told}; and {len(more)} more" if more else told


def _and(ids: Sequence[str]) -> str:
    return " and ".join([", ".join(ids[:-1]), ids[-1]] if len(ids) > 1 else ids)
