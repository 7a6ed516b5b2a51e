"""Verifies a collector: the smoke check, the selected cases of the suite, and the verdicts.

The cases are run by the scenario engine, like any other; what their results mean is decided in
`verdicts`. Nothing is printed here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from collector_harness.conformance.haste import in_haste
from collector_harness.conformance.requirements import Requirement, catalogue
from collector_harness.conformance.selection import select
from collector_harness.conformance.smoke import Smoke, smoke
from collector_harness.conformance.suite import SuiteCase, load_suite
from collector_harness.conformance.verdicts import CaseResult, Verdicts, decide, reproduce
from collector_harness.errors import InvalidInput, Problem
from collector_harness.events import CallFinished, CaseFinished, Emit, Event
from collector_harness.scenario.engine import new_seed, run_cases
from collector_harness.targets import AttachTarget, ExecTarget, Target

__all__ = ["DEFAULT_JOBS", "verify"]

DEFAULT_JOBS = 4
"""Cases that run at a time. Each may start several processes."""


async def verify(
    target: Target,
    *,
    patterns: Sequence[str] = (),
    emit: Emit | None = None,
    jobs: int = DEFAULT_JOBS,
    seed: int | None = None,
    suite: Path | None = None,
) -> Verdicts:
    """Returns the verdict on a collector, seen from outside.

    `patterns` select requirements, as `selection.select` understands them, with what they build
    on; none select all. `emit` gets the events of the run, `suite` is a folder to use
    instead of the suite that is shipped. Raises `NothingSelected` when there is nothing
    to run, `TargetFailed` when the target does not start or is no collector, and `InvalidInput`
    for a target or a pattern that cannot be used.
    """
    if isinstance(target, AttachTarget):
        raise InvalidInput(
            Problem(
                message=f"{target} cannot be verified yet: the suite starts the collector itself",
                hint="use exec:COMMAND, which starts it as often as a scenario needs it",
            )
        )
    target = in_haste(target)
    every = catalogue()
    loaded = load_suite(suite, catalogue=every)
    selected = select(patterns, covered=loaded.covered, catalogue=every)
    begin = time.perf_counter()
    seed = new_seed() if seed is None else seed
    shown = await smoke(target)
    unsupported = {
        (key, each.name): _unsupported(every[key], each, shown, target)
        for key in selected
        for each in loaded.cases[key]
    }
    record = _Record(emit=emit)
    # What others build on comes first, and a case that stands for several runs once.
    runnable = dict.fromkeys(
        each.case
        for key in every.in_dependency_order()
        if key in selected
        for each in loaded.cases[key]
        if not unsupported[key, each.name]
    )
    if runnable:
        await run_cases(list(runnable), target=target, emit=record, jobs=jobs, seed=seed)
    results = {
        key: [
            _result(
                each,
                record.finished.get(each.case.id),
                unsupported=unsupported.get((key, each.name), ""),
                reproduce=reproduce(str(target), key, seed),
            )
            for each in cases
        ]
        for key, cases in loaded.cases.items()
    }
    return Verdicts(
        suite_version=every.version,
        target=str(target),
        seed=seed,
        requirements=decide(
            results, selected=selected, catalogue=every, target=str(target), seed=seed
        ),
        uncovered=tuple(each.id for each in every if each.id not in loaded.covered),
        seconds=time.perf_counter() - begin,
        calls=record.calls,
        notices=shown.notices,
    )


def _unsupported(requirement: Requirement, case: SuiteCase, shown: Smoke, target: Target) -> str:
    """Returns why the case cannot show anything of this target; empty where it can."""
    if "lib" in requirement.marks and isinstance(target, ExecTarget):
        return "it can be seen only through the Python API"
    if not shown.has_probe and any(
        node.probe and node.collector is None for node in case.case.scenario.topology.nodes
    ):
        return "the target carries no probe service"
    lacking = sorted(
        set(case.case.scenario.file.needs) - (target.declares.capabilities or frozenset())
    )
    if lacking:
        return f"the target does not declare {' and '.join(lacking)}"
    return ""


def _result(
    case: SuiteCase, finished: CaseFinished | None, *, unsupported: str, reproduce: str
) -> CaseResult:
    source = case.case.scenario.source
    if finished is None or unsupported:
        return CaseResult(case=case.name, source=source, outcome=None, unsupported=unsupported)
    failure = finished.failure
    return CaseResult(
        case=case.name,
        source=source,
        outcome=finished.outcome,
        seconds=finished.seconds,
        failure=None if failure is None else replace(failure, reproduce=reproduce),
    )


@dataclass(kw_only=True, slots=True)
class _Record:
    """Passes events on, and keeps what a verdict needs of them."""

    emit: Emit | None
    calls: int = 0
    finished: dict[str, CaseFinished] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        if isinstance(event, CallFinished):
            self.calls += 1
        elif isinstance(event, CaseFinished):
            self.finished[event.case] = event
        if self.emit is not None:
            self.emit(event)
