"""Verifies a collector: the smoke check, the selected cases of the suite, and the verdicts.

The cases are run by the scenario engine, like any other; what their results mean is decided in
`verdicts`. Nothing is printed here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector_harness.conformance.applicability import Shown, is_left_out, unsupported
from collector_harness.conformance.haste import in_haste
from collector_harness.conformance.judged import judged
from collector_harness.conformance.known_failures import KnownFailures
from collector_harness.conformance.ledger import Ledger, ledger
from collector_harness.conformance.observing import mismatches, observe
from collector_harness.conformance.profiles import ALL, PROFILES
from collector_harness.conformance.requirements import Catalogue, catalogue
from collector_harness.conformance.selection import NothingSelected, select
from collector_harness.conformance.smoke import smoke
from collector_harness.conformance.suite import Suite, SuiteCase, load_suite
from collector_harness.conformance.verdicts import CaseResult, Verdicts, decide, reproduce
from collector_harness.events import CallFinished, CaseFinished, Emit, Event, Outcome, RunFinished
from collector_harness.scenario.engine import new_seed, run_cases
from collector_harness.scenario.ordering import Shard, sharded
from collector_harness.targets import AttachTarget, Target

__all__ = ["DEFAULT_JOBS", "selected_suite", "verify"]

DEFAULT_JOBS = 4
"""Cases that run at a time. Each may start several processes."""

_WORST = (Outcome.FAILED, Outcome.CRASHED, Outcome.ERROR, Outcome.PASSED)


async def verify(
    target: Target,
    *,
    patterns: Sequence[str] = (),
    profile: str = ALL,
    emit: Emit | None = None,
    jobs: int = DEFAULT_JOBS,
    seed: int | None = None,
    suite: Path | None = None,
    rounds: int = 1,
    as_of: str | None = None,
    known: KnownFailures | None = None,
    shard: Shard | None = None,
) -> Verdicts:
    """Returns the verdict on a collector, seen from outside.

    `patterns` select requirements, as `selection.select` understands them, with what they build
    on; none select all of the `profile`. `emit` gets the events of the run, `suite` is a folder to
    use instead of the suite that is shipped, `rounds` is how often each case runs, `as_of` leaves
    out cases that came later, `known` are failures that are excused, and of the requirements
    `shard` takes a part, with what it builds on. Raises `NothingSelected`
    when there is nothing to run, `TargetFailed` when the target does not start or is no collector,
    and `InvalidInput` for a target, a pattern or a version that cannot be used.
    """
    target = in_haste(target)
    every = catalogue()
    loaded, selected = selected_suite(
        every, suite=suite, patterns=patterns, profile=profile, as_of=as_of
    )
    if shard is not None:
        selected = _part(selected, shard, every)
    begin = time.perf_counter()
    seed = new_seed() if seed is None else seed
    first = await smoke(target)
    asked = {
        key: [each for each in loaded.cases[key] if not is_left_out(every[key], each, target)]
        for key in selected
    }
    needs = {
        name
        for cases in asked.values()
        for each in cases
        for name in (each.scenario.file.needs if each.scenario is not None else ())
    }
    seen = await observe(target, first, needs)
    shown = Shown(capabilities=seen, collector_id=first.collector_id, probes=first.probes)
    reasons = {
        each.name: unsupported(each, target, shown) for cases in asked.values() for each in cases
    }
    record = _Record(emit=emit)
    # What others build on comes first, and a case that stands for several runs once.
    runnable = {
        each.name: each
        for key in every.in_dependency_order()
        if key in selected
        for each in asked[key]
        if not reasons[each.name]
    }
    try:
        # With nothing to run it tells of a run of nothing: a stream is never without an end.
        await run_cases(
            [
                case
                for each in sorted(runnable.values(), key=_longest_first)
                for case in each.rounds(rounds)
            ],
            target=target,
            emit=record,
            # One that runs already is one for all.
            jobs=1 if isinstance(target, AttachTarget) else jobs,
            seed=seed,
        )
    except BaseException:
        record.end(None)
        raise
    results = {
        key: [
            _result(
                each,
                [record.finished.get(case.id) for case in each.rounds(rounds)],
                unsupported=reasons.get(each.name, ""),
                reproduce=reproduce(str(target), key, seed),
            )
            for each in asked.get(key, cases)
        ]
        for key, cases in loaded.cases.items()
    }
    lacking, silent = mismatches(target, seen)
    excused: Mapping[str, str] = {}
    if known is not None:
        excused = known.on(datetime.now(UTC).date())
    requirements = decide(
        results, selected=selected, catalogue=every, target=str(target), seed=seed, known=excused
    )
    verdicts = Verdicts(
        suite_version=every.version,
        target=str(target),
        seed=seed,
        requirements=requirements,
        uncovered=tuple(each.id for each in every if each.id not in loaded.covered),
        seconds=time.perf_counter() - begin,
        calls=record.calls,
        notices=(*first.notices, *silent),
        findings=(*lacking, *(known.unmatched(requirements) if known is not None else ())),
        as_of=as_of,
    )
    ids = {
        each.name: tuple(case.id for case in each.rounds(rounds))
        for cases in loaded.cases.values()
        for each in cases
    }
    for event in judged(verdicts, catalogue=every, ids=ids):
        record(event)
    record.end(verdicts.exit_code)
    return verdicts


def selected_suite(
    every: Catalogue,
    *,
    suite: Path | None,
    patterns: Sequence[str],
    profile: str = ALL,
    as_of: str | None = None,
) -> tuple[Suite, frozenset[str]]:
    """Returns the suite, as it was at a version where one is given, and the ids to verify."""
    loaded = load_suite(suite, catalogue=every)
    if as_of is not None:
        loaded = _as_of(loaded, ledger(), as_of)
    chosen = frozenset(loaded.covered)
    if not chosen:
        raise NothingSelected("the suite has no cases: nothing can be verified")
    if PROFILES[profile]:
        # What a profile names and no case is for yet is told among the uncovered.
        chosen = select(PROFILES[profile], covered=loaded.covered, catalogue=every, lenient=True)
    if patterns:
        named = select(patterns, covered=loaded.covered, catalogue=every)
        chosen = every.with_prerequisites(named & chosen) & frozenset(loaded.covered)
    if not chosen:
        raise NothingSelected(f"nothing of the profile '{profile}' is selected")
    return loaded, chosen


def _part(selected: frozenset[str], shard: Shard, every: Catalogue) -> frozenset[str]:
    """Returns a part of the requirements; what they build on is verified in each part again."""
    part = sharded(sorted(selected), shard, key=str)
    if not part:
        raise NothingSelected(f"none of {len(selected)} requirements belongs to shard {shard}")
    return every.with_prerequisites(part) & selected


def _longest_first(case: SuiteCase) -> float:
    """Begun early, what takes long runs beside all else; the rest stays in its order."""
    limit = case.scenario.file.timeout if case.scenario is not None else None
    return -limit.total_seconds() if isinstance(limit, timedelta) else 0.0


def _as_of(suite: Suite, entries: Ledger, version: str) -> Suite:
    existing = entries.as_of(version)
    kept = {
        key: tuple(each for each in cases if each.name in existing)
        for key, cases in suite.cases.items()
    }
    return Suite(cases={key: cases for key, cases in kept.items() if cases})


def _result(
    case: SuiteCase,
    rounds: Sequence[CaseFinished | None],
    *,
    unsupported: str,
    reproduce: str,
) -> CaseResult:
    finished = [each for each in rounds if each is not None]
    if unsupported or len(finished) < len(rounds):
        return CaseResult(case=case.name, source=case.source, outcome=None, unsupported=unsupported)
    worst = min(finished, key=lambda each: _WORST.index(each.outcome))
    failure = worst.failure
    return CaseResult(
        case=case.name,
        source=case.source,
        outcome=worst.outcome,
        rounds=tuple(each.outcome for each in finished) if len(finished) > 1 else (),
        seconds=sum(each.seconds for each in finished),
        failure=None if failure is None else replace(failure, reproduce=reproduce),
    )


@dataclass(kw_only=True, slots=True)
class _Record:
    """Passes events on, and keeps what a verdict needs of them.

    The end of the run is kept back until there is a verdict: it is the last event of the stream,
    and its exit code is that of the whole.
    """

    emit: Emit | None
    calls: int = 0
    last: RunFinished | None = None
    finished: dict[str, CaseFinished] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        if isinstance(event, CallFinished):
            self.calls += 1
        elif isinstance(event, CaseFinished):
            self.finished[event.case] = event
        elif isinstance(event, RunFinished):
            self.last = event
            return
        if self.emit is not None:
            self.emit(event)

    def end(self, exit_code: int | None) -> None:
        """Passes the end on, with this exit code, or with its own where it is None."""
        last, self.last = self.last, None
        if last is not None and self.emit is not None:
            self.emit(last if exit_code is None else replace(last, exit_code=exit_code))
