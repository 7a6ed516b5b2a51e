"""What a scenario needs of the collector under test, and a case that is left out for want of it.

Only what the target says of itself counts here; what it shows is found out by `verify`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from collector_harness.errors import ExitCode
from collector_harness.events import CaseFinished, CaseStarted, Emit, Failure, Outcome
from collector_harness.launchers.own_sockets import CAN_LOOK
from collector_harness.scenario.case_run import Verdict, run_case
from collector_harness.scenario.loading import Case
from collector_harness.scenario.pool import MeshPool
from collector_harness.scenario.telling import told_topology
from collector_harness.targets import ExecTarget, Target

__all__ = ["OWN_SOCKETS", "lacks", "run_if_able", "unmet"]

OWN_SOCKETS: Final = "own-sockets"
"""What the harness sees of a process by itself, whatever that declares."""


def unmet(needs: Collection[str], target: Target) -> str:
    """Returns why cases with these needs can show nothing of a target, in a sentence; empty where
    they can, or where the target does not say what it can do.
    """
    if not needs:
        return ""
    lacking = set(needs) - (target.declares.capabilities or set(needs)) - {OWN_SOCKETS}
    if OWN_SOCKETS in needs and not (isinstance(target, ExecTarget) and CAN_LOOK):
        lacking.add(OWN_SOCKETS)
    return lacks(lacking)


def lacks(names: Iterable[str]) -> str:
    """Returns what it means that a target has not these capabilities; empty for none."""
    listed = " and ".join(sorted(names))
    return f"the target does not have or declare {listed}" if listed else ""


async def run_if_able(
    case: Case, *, pool: MeshPool, emit: Emit, seed: int, target: Target
) -> Verdict:
    """Runs a case as `run_case` does; where its needs are not met it is unsupported, with why."""
    reason = unmet(case.scenario.file.needs, target)
    if not reason:
        return await run_case(case, pool=pool, emit=emit, seed=seed, target=target)
    scenario, requirements = case.scenario, case.scenario.file.requirements
    emit(
        CaseStarted(
            case=case.id,
            scenario=scenario.title,
            source=scenario.source,
            requirements=requirements,
            topology=told_topology(scenario.topology),
        )
    )
    finished = CaseFinished(
        case=case.id,
        scenario=scenario.title,
        source=scenario.source,
        outcome=Outcome.UNSUPPORTED,
        seconds=0.0,
        requirements=requirements,
        failure=Failure(
            message=reason,
            position=scenario.document.position(("needs",), key=True),
            requirements=requirements,
        ),
    )
    emit(finished)
    return Verdict(finished=finished, exit_code=ExitCode.NOTHING_RAN)
