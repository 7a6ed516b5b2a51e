"""Running many cases: how many at a time, in which order, and with which verdict.

The engine emits events and returns an exit code; it prints nothing and knows no runner.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from collector_harness.errors import ExitCode, InvalidInput
from collector_harness.events import Emit, Outcome, Part, RunFinished, RunStarted, Totals
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
) -> ExitCode:
    """Runs cases, at most `jobs` at a time and begun in the order given.

    Emits `RunStarted` first and `RunFinished` last, also when it is cancelled, by which time
    nothing that it started is left. Returns what the run ends with: the exit code of a
    failed expectation before that of a node that died before any other; `NOTHING_RAN` for
    no cases, and for cases that are all unsupported. `part` says which part of a divided suite
    the cases are. `fail_fast` begins no further case after the first of which something is wrong.
    Fresh databases of services are made where `databases` says.
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

    async def work() -> None:
        # One iterator feeds all workers: cases begin in order, and none begins twice.
        for case in waiting:
            if isinstance(case, Case):
                verdict = await run_if_able(case, pool=pool, emit=emit, seed=seed, target=target)
            else:
                verdict = await case.run(emit=emit, seed=seed, target=target)
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
