"""Verifies a collector: the smoke check, the selected cases of the suite, and the verdicts.

The cases are run by the scenario engine, like any other; what their results mean is decided in
`verdicts`. Nothing is printed here.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector_harness.conformance.applicability import Shown, unsupported
from collector_harness.conformance.haste import in_haste
from collector_harness.conformance.judged import judged
from collector_harness.conformance.known_failures import KnownFailures
from collector_harness.conformance.lib.checks import LibraryCase
from collector_harness.conformance.observing import mismatches, observe
from collector_harness.conformance.plan import Plan, make_plan
from collector_harness.conformance.profiles import ALL
from collector_harness.conformance.requirements import Catalogue, catalogue
from collector_harness.conformance.smoke import Smoke, smoke
from collector_harness.conformance.suite import SuiteCase
from collector_harness.conformance.verdicts import CaseResult, Verdicts, decide, reproduce
from collector_harness.events import (
    CallFinished,
    CaseFinished,
    Emit,
    Event,
    Outcome,
    Part,
    RunFinished,
    RunStarted,
)
from collector_harness.scenario.engine import new_seed, run_cases
from collector_harness.scenario.loading import Case
from collector_harness.scenario.ordering import Shard
from collector_harness.scenario.pulse import Pulse
from collector_harness.targets import AttachTarget, Target

__all__ = ["DEFAULT_JOBS", "verify"]

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
    shuffle: bool = False,
    when_interrupted: Callable[[Verdicts], None] = lambda _: None,
) -> Verdicts:
    """Returns the verdict on a collector, seen from outside.

    `patterns` select requirements, as `selection.select` understands them, with what they build
    on; none select all of the `profile`. `emit` gets the events of the run, `suite` is a folder to
    use instead of the suite that is shipped, `rounds` is how often each case runs, `as_of` leaves
    out cases that came later, `known` are failures that are excused, and of the requirements
    `shard` takes a part, with what it builds on. With `shuffle` the cases run in an order made of
    the seed. Where the run is cancelled, `when_interrupted` gets what was found out so far before
    the cancellation goes on. Raises `NothingSelected` when there is nothing to run, `TargetFailed`
    when the target does not start or is no collector, and `InvalidInput` for a target, a pattern
    or a version that cannot be used.
    """
    target = in_haste(target)
    every = catalogue()
    plan = make_plan(
        every, target, suite=suite, patterns=patterns, profile=profile, as_of=as_of, shard=shard
    )
    begin = time.perf_counter()
    first = await smoke(target)
    verification = _Verification(
        target=target,
        every=every,
        plan=plan,
        first=first,
        seen=await observe(target, first, plan.needs),
        begin=begin,
        seed=new_seed() if seed is None else seed,
        rounds=rounds,
        as_of=as_of,
        known=known,
        record=_Record(
            emit=emit,
            asked=() if plan.asked == plan.selected else tuple(sorted(plan.asked)),
            part=plan.part,
        ),
    )
    try:
        await verification.run(jobs=jobs, shuffle=shuffle)
    except asyncio.CancelledError:
        when_interrupted(verification.conclude(interrupted=True))
        raise
    except BaseException:
        verification.record.end(None)
        raise
    return verification.conclude()


@dataclass(kw_only=True, slots=True)
class _Verification:
    """One collector, one question, and what came of it so far."""

    target: Target
    every: Catalogue
    plan: Plan
    first: Smoke
    seen: Mapping[str, bool]
    """The capabilities that were looked for, and whether they were seen."""
    begin: float
    seed: int
    rounds: int
    as_of: str | None
    known: KnownFailures | None
    record: _Record
    reasons: Mapping[str, str] = field(init=False)
    """Why each case can show nothing of the target, by its name; empty for one that can."""

    def __post_init__(self) -> None:
        shown = Shown(
            capabilities=self.seen,
            collector_id=self.first.collector_id,
            probes=self.first.probes,
        )
        self.reasons = {
            each.name: unsupported(each, self.target, shown)
            for cases in self.plan.cases.values()
            for each in cases
        }

    async def run(self, *, jobs: int, shuffle: bool) -> None:
        """Runs what can be run. With nothing of that it tells of a run of nothing: a stream is
        never without an end.
        """
        async with Pulse() as pulse:
            await run_cases(
                self._in_order(shuffle=shuffle),
                target=self.target,
                emit=self.record,
                # One that runs already is one for all.
                jobs=1 if isinstance(self.target, AttachTarget) else jobs,
                seed=self.seed,
                held_up_since=pulse.held_up_since,
            )

    def conclude(self, *, interrupted: bool = False) -> Verdicts:
        """Returns what is known by now, and tells it as the end of the run."""
        requirements = decide(
            {
                key: [
                    self._result(each, key, interrupted=interrupted)
                    for each in self.plan.cases.get(key, cases)
                ]
                for key, cases in self.plan.suite.cases.items()
            },
            selected=self.plan.selected,
            asked=self.plan.asked,
            catalogue=self.every,
            target=str(self.target),
            seed=self.seed,
            known={} if self.known is None else self.known.on(datetime.now(UTC).date()),
            interrupted=interrupted,
        )
        lacking, silent = mismatches(self.target, self.seen)
        # Of what an interrupted run has not come to, nobody knows whether it is known.
        known = None if interrupted else self.known
        stale = () if known is None else known.unmatched(requirements)
        covered = self.plan.suite.covered
        verdicts = Verdicts(
            suite_version=self.every.version,
            target=str(self.target),
            seed=self.seed,
            requirements=requirements,
            uncovered=tuple(each.id for each in self.every if each.id not in covered),
            seconds=time.perf_counter() - self.begin,
            calls=self.record.calls,
            notices=(*self.first.notices, *silent),
            findings=(*lacking, *stale),
            as_of=self.as_of,
            interrupted=interrupted,
        )
        ids = {
            each.name: tuple(case.id for case in each.rounds(self.rounds))
            for cases in self.plan.suite.cases.values()
            for each in cases
        }
        for event in judged(verdicts, catalogue=self.every, ids=ids):
            self.record(event)
        self.record.end(verdicts)
        return verdicts

    def _in_order(self, *, shuffle: bool) -> list[Case | LibraryCase]:
        """Returns what is to be run, a case that stands for several requirements once. What others
        build on comes first; with `shuffle` nothing has its place.
        """
        runnable = {
            each.name: each
            for key in self.every.in_dependency_order()
            if key in self.plan.selected
            for each in self.plan.cases[key]
            if not self.reasons[each.name]
        }
        cases = [
            case
            for each in sorted(runnable.values(), key=_longest_first)
            for case in each.rounds(self.rounds)
        ]
        if shuffle:
            random.Random(self.seed).shuffle(cases)
        return cases

    def _result(self, case: SuiteCase, key: str, *, interrupted: bool) -> CaseResult:
        """Returns what a case of a requirement came to, of several rounds the worst."""
        rounds = [self.record.finished.get(each.id) for each in case.rounds(self.rounds)]
        finished = [each for each in rounds if each is not None]
        worst = min(finished, key=lambda each: _WORST.index(each.outcome), default=None)
        # A round that went wrong is known whatever the others would have come to.
        known = interrupted and worst is not None and worst.outcome is not Outcome.PASSED
        reason = self.reasons.get(case.name, "")
        if reason or worst is None or (len(finished) < len(rounds) and not known):
            return CaseResult(case=case.name, source=case.source, outcome=None, unsupported=reason)
        failure = worst.failure
        again = reproduce(str(self.target), key, self.seed)
        return CaseResult(
            case=case.name,
            source=case.source,
            outcome=worst.outcome,
            rounds=tuple(each.outcome for each in finished) if len(finished) > 1 else (),
            seconds=sum(each.seconds for each in finished),
            failure=None if failure is None else replace(failure, reproduce=again),
        )


def _longest_first(case: SuiteCase) -> float:
    """Begun early, what takes long runs beside all else; the rest stays in its order."""
    limit = case.scenario.file.timeout if case.scenario is not None else None
    return -limit.total_seconds() if isinstance(limit, timedelta) else 0.0


@dataclass(kw_only=True, slots=True)
class _Record:
    """Passes events on, and keeps what a verdict needs of them.

    The end of the run is kept back until there is a verdict: it is the last event of the stream,
    and its exit code is that of the whole.
    """

    emit: Emit | None
    asked: tuple[str, ...]
    part: Part | None
    calls: int = 0
    last: RunFinished | None = None
    finished: dict[str, CaseFinished] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        if isinstance(event, CallFinished):
            self.calls += 1
        elif isinstance(event, CaseFinished):
            self.finished[event.case] = event
        elif isinstance(event, RunStarted):
            event = replace(event, asked=self.asked, part=self.part)
        elif isinstance(event, RunFinished):
            self.last = event
            return
        if self.emit is not None:
            self.emit(event)

    def end(self, verdicts: Verdicts | None) -> None:
        """Passes the end on, with the exit code and the time of the verdict where there is one."""
        last, self.last = self.last, None
        if last is None or self.emit is None:
            return
        if verdicts is not None:
            last = replace(last, exit_code=verdicts.exit_code, seconds=verdicts.seconds)
        self.emit(last)
