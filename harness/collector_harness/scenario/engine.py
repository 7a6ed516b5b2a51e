"""Running many cases: how many at a time, in which order, and with which verdict.

The engine emits events and returns an exit code; it prints nothing and knows no runner.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from collector_harness.errors import ExitCode, InvalidInput
from collector_harness.events import (
    CaseFinished,
    Emit,
    Event,
    Notice,
    Outcome,
    Part,
    RunFinished,
    RunStarted,
    Totals,
)
from collector_harness.scenario.case_run import Verdict, run_case
from collector_harness.scenario.loading import Case
from collector_harness.scenario.needs import run_if_able
from collector_harness.scenario.pool import MeshPool
from collector_harness.targets import Reference, Target
from collector_harness.topology.databases import FreshDatabases

__all__ = ["MeshPool", "Runnable", "Verdict", "new_seed", "run_case", "run_cases"]


def new_seed() -> int:
    """Returns a seed for a run that was given none; a reader can remember and type it."""
    return secrets.randbelow(2**31)


class Runnable(Protocol):
    """A case that is no scenario's, but runs and tells of itself as one does."""

    @property
    def id(self) -> str:
        """Unique in a run."""

    @property
    def scenario(self) -> Hashable:
        """What it counts with as one scenario."""

    async def run(self, *, emit: Emit, seed: int, target: Target) -> Verdict:
        """Emits its beginning and its end, and returns how it ended; raises only cancellation."""


async def run_cases(
    cases: Sequence[Case | Runnable],
    *,
    target: Target | None = None,
    emit: Emit,
    jobs: int = 1,
    seed: int | None = None,
    fail_fast: bool = False,
    part: Part | None = None,
    databases: FreshDatabases = FreshDatabases(),  # noqa: B008 - a frozen value
    held_up_since: Callable[[float], float] = lambda _: 0.0,
) -> ExitCode:
    """Runs cases, at most `jobs` at a time and begun in the order given.

    Emits `RunStarted` first and `RunFinished` last, also when it is cancelled, by which time
    nothing that it started is left. Returns what the run ends with: the exit code of a
    failed expectation before that of a node that died before any other; `NOTHING_RAN` for
    no cases, and for cases that are all unsupported. `part` says which part of a divided suite
    the cases are. `fail_fast` begins no further case after the first of which something is wrong.
    Fresh databases of services are made where `databases` says. `held_up_since` tells for how many
    seconds this process was held up since a moment on the loop's clock: a case in which something
    is wrong meanwhile is run again, twice at most, and a notice says so.
    """
    _check_unique(cases)
    target = Reference() if target is None else target
    seed = new_seed() if seed is None else seed
    begin = time.perf_counter()
    emit(
        RunStarted(
            seed=seed,
            scenarios=len({case.scenario for case in cases}),
            cases=len(cases),
            target=str(target),
            began=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            part=part,
        )
    )
    pool = MeshPool(target=target, emit=emit, databases=databases)
    verdicts: list[Verdict] = []
    waiting = iter(cases)

    async def run(case: Case | Runnable, tell: Emit) -> Verdict:
        if isinstance(case, Case):
            return await run_if_able(case, pool=pool, emit=tell, seed=seed, target=target)
        return await case.run(emit=tell, seed=seed, target=target)

    async def work() -> None:
        # One iterator feeds all workers: cases begin in order, and none begins twice.
        for case in waiting:
            verdict = await _patiently(case, run, emit=emit, held_up_since=held_up_since)
            verdicts.append(verdict)
            if fail_fast and verdict.finished.outcome not in _WELL:
                for _ in waiting:
                    pass

    interrupted = False
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(jobs, len(cases))):
                group.create_task(work())
    except asyncio.CancelledError:
        interrupted = True
        raise
    finally:
        await pool.close()
        exit_code = ExitCode.INTERRUPTED if interrupted else _exit_code(verdicts)
        count = Counter(each.finished.outcome for each in verdicts)
        emit(
            RunFinished(
                totals=Totals(
                    scenarios=len({case.scenario for case in cases}),
                    cases=len(verdicts),
                    passed=count[Outcome.PASSED],
                    failed=len(verdicts) - sum(count[outcome] for outcome in _WELL),
                    unsupported=count[Outcome.UNSUPPORTED],
                ),
                seconds=time.perf_counter() - begin,
                exit_code=exit_code,
                interrupted=interrupted,
            )
        )
    return exit_code


async def _patiently(
    case: Case | Runnable,
    run: Callable[[Case | Runnable, Emit], Awaitable[Verdict]],
    *,
    emit: Emit,
    held_up_since: Callable[[float], float],
) -> Verdict:
    """Runs a case, and again where it went wrong while this process was held up. Its end is told
    once.
    """

    def all_but_the_end(event: Event) -> None:
        if not isinstance(event, CaseFinished):
            emit(event)

    verdict: Verdict | None = None
    for tries_left in range(_AGAIN, -1, -1):
        begin = asyncio.get_running_loop().time()
        verdict = await run(case, all_but_the_end)
        late = 0.0 if verdict.finished.outcome in _WELL else held_up_since(begin)
        if not late or not tries_left:
            break
        told = f"is run again: the harness was held up for {late:.1f} s, so deadlines say nothing"
        emit(Notice(message=f"{case.id} {told}"))
    assert verdict is not None
    emit(verdict.finished)
    return verdict


_AGAIN = 2
"""How often a case is run again at most."""
_WELL = (Outcome.PASSED, Outcome.UNSUPPORTED)
"""How a case ends of which nothing is wrong."""
_SEVERITY = (
    ExitCode.INTERNAL_FAULT,
    ExitCode.FAILED,
    ExitCode.TARGET_FAILED,
    ExitCode.ENVIRONMENT_LACKS,
    ExitCode.INVALID_INPUT,
)
"""Which of several exit codes a run ends with: the first of these that a case has."""


def _exit_code(verdicts: Iterable[Verdict]) -> ExitCode:
    codes = {verdict.exit_code for verdict in verdicts}
    if codes <= {ExitCode.NOTHING_RAN}:
        return ExitCode.NOTHING_RAN
    return next((code for code in _SEVERITY if code in codes), ExitCode.OK)


def _check_unique(cases: Sequence[Case | Runnable]) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise InvalidInput(f"the case '{case.id}' was given twice")
        seen.add(case.id)
