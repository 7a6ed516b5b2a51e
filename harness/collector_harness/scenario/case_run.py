"""One case from its start to its verdict: a mesh, the steps, and what explains a failure.

Which cases run, and how many at a time, is decided in `engine`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from collector_harness.by_hand import grpcurl_line
from collector_harness.client import Reply
from collector_harness.errors import ExitCode, HarnessError, InvalidInput, TargetFailed
from collector_harness.events import (
    CallFinished,
    CaseFinished,
    CaseStarted,
    Emit,
    Failure,
    Outcome,
    StepFinished,
    StepStarted,
)
from collector_harness.late import later
from collector_harness.mesh import Mesh, MeshNode, MeshService
from collector_harness.mesh.readiness import pauses
from collector_harness.scenario.advice import advice
from collector_harness.scenario.fakes import Fakes
from collector_harness.scenario.loading import Case
from collector_harness.scenario.origins import origin_in_step, origin_of
from collector_harness.scenario.pointing import pointed
from collector_harness.scenario.pool import MeshPool
from collector_harness.scenario.scope import Scope
from collector_harness.scenario.secrets import Mask, read_secrets, with_secrets
from collector_harness.scenario.steps.base import Location, Place, Unmet
from collector_harness.scenario.telling import told_topology
from collector_harness.scenario.walk import do_steps
from collector_harness.targets import Reference, Target

__all__ = ["Verdict", "run_case"]

_LOG_LINES = 40
_NO_MASK = Mask(())
_NOTICE_LIMIT = timedelta(seconds=1)
"""The time in which the end of a process becomes known after its connections have ended."""
_NOTICE_LIMIT_OF_FAILURES = timedelta(seconds=3)
"""The same for a case that went wrong: it is worth more to know why than to be done."""
_OF_THE_GONE = frozenset({"UNAVAILABLE", "CANCELLED", "UNKNOWN", "INTERNAL", "DEADLINE_EXCEEDED"})
"""How gRPC tells the end of a connection; any other code is somebody's answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """How a case ended."""

    finished: CaseFinished
    """What was emitted."""
    exit_code: ExitCode
    """What a run of this case alone ends with."""


class _Spoilt(Exception):
    """Takes the mesh of a case away from the pool: nobody knows what is still going on in it."""


async def run_case(case: Case, *, pool: MeshPool, emit: Emit, seed: int, target: Target) -> Verdict:
    """Runs a case on a mesh of the pool, emits what happens, and returns how it ended.

    Raises nothing but cancellation: whatever goes wrong is the outcome of the case.
    """
    return await _CaseRun(case=case, emit=emit, seed=seed, target=target).run(pool)


@dataclass(kw_only=True, slots=True)
class _CaseRun:
    case: Case
    emit: Emit
    seed: int
    target: Target
    outcome: Outcome = Outcome.PASSED
    exit_code: ExitCode = ExitCode.OK
    failure: Failure | None = None
    _last_call: Reply | None = None
    _unreachable: bool = False
    """Whether a call failed in gRPC itself, as it does when who answers is gone."""
    _begin: float = field(default_factory=time.perf_counter)
    _broken: dict[int, Place] = field(default_factory=dict)
    """The innermost step of each error that is no unmet expectation, by its identity."""
    _cut_off: Place | None = None
    """The innermost step at which the case went wrong, or was under way when its time was up."""
    _secrets: Mapping[str, str] = field(default_factory=dict)
    _mask: Mask = _NO_MASK
    """Hides the secrets in everything that is emitted."""

    async def run(self, pool: MeshPool) -> Verdict:
        begin = self._begin
        file, scenario = self.case.scenario.file, self.case.scenario
        self.emit(
            CaseStarted(
                case=self.case.id,
                scenario=scenario.title,
                source=scenario.source,
                requirements=file.requirements,
                topology=later(lambda: told_topology(scenario.topology)),
            )
        )
        try:
            self._read_secrets()
            async with pool.lease(
                with_secrets(scenario.topology, self._secrets),
                file.isolation,
                plan=scenario.plan,
                seed=self.seed,
            ) as mesh:
                await self._on(mesh)
        except _Spoilt:
            pass
        except HarnessError as error:  # from starting the mesh, or putting it back
            self._wrong(error)
        except Exception as error:  # noqa: BLE001 - as below
            self._fault(error)
        finished = CaseFinished(
            case=self.case.id,
            scenario=scenario.title,
            source=scenario.source,
            outcome=self.outcome,
            seconds=time.perf_counter() - begin,
            requirements=file.requirements,
            failure=self.failure,
        )
        finished = self._mask.value(finished)
        self.emit(finished)
        return Verdict(finished=finished, exit_code=self.exit_code)

    def _read_secrets(self) -> None:
        wanted = self.case.scenario.file.secrets
        if wanted:
            self._secrets = read_secrets(wanted, os.environ)
            mask = self._mask = Mask(self._secrets.values())
            emit = self.emit
            self.emit = lambda event: emit(mask.value(event))

    async def _on(self, mesh: Mesh) -> None:
        at = self._start(mesh)
        limit = at.scope.duration(self.case.scenario.timeout).total_seconds()
        spoilt = False
        try:
            await self._steps(at, limit)
        except Unmet as error:
            self._unmet(error, mesh)
        except TimeoutError:
            spoilt = True
            self._fail(
                Outcome.FAILED,
                None,
                f"the case was not done within its {limit:g}s",
                at=self._cut_off,
                mesh=mesh,
            )
        except HarnessError as error:
            spoilt = True
            self._wrong(error, mesh=mesh)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the whole run
            spoilt = True
            self._fault(error, mesh=mesh)
        for died in (await self._deaths(mesh))[:1]:
            spoilt = True
            self._wrong(died, mesh=mesh)
        if spoilt:
            raise _Spoilt

    async def _deaths(self, mesh: Mesh) -> tuple[TargetFailed, ...]:
        # The end of a process is noticed later than the end of its connections: without a moment
        # of patience a death would be told as a call that could not be made, or not at all.
        if self._unreachable and any(map(_can_die, mesh.parts)):
            passed = self.outcome is Outcome.PASSED
            async for _ in pauses(_NOTICE_LIMIT if passed else _NOTICE_LIMIT_OF_FAILURES):
                if mesh.failures():
                    break
        return mesh.failures()

    async def _steps(self, at: Place, limit: float) -> None:
        file = self.case.scenario.file
        try:
            async with asyncio.timeout(limit):
                if file.before is not None:
                    await do_steps(file.before, at, self, under="before", key="before ")
                await do_steps(file.steps, at, self, under="steps")
        except (Unmet, HarnessError, TimeoutError):
            # What went wrong first is what is told, whatever becomes of the last steps.
            with contextlib.suppress(Unmet, HarnessError, TimeoutError):
                await self._last_steps(at, limit)
            raise
        await self._last_steps(at, limit)

    async def _last_steps(self, at: Place, limit: float) -> None:
        after = self.case.scenario.file.after
        if after is None:
            return
        # They have a time of their own: the others may have used all of theirs.
        async with asyncio.timeout(limit):
            await do_steps(after, at, self, under="after", key="after ")

    def _start(self, mesh: Mesh) -> Place:
        scope = Scope(
            # By its round too: what one round has stored is not to be in the way of the next.
            fakes=Fakes(seed=self.seed, key=self.case.id),
            seed=self.seed,
            case=self.case.values,
            nodes={part.name: part.values() for part in mesh.parts},
            limits=self.target.declares.limits.as_values(),
            environment=os.environ,
            secrets=self._secrets,
        )
        return Place(
            number="",
            title="",
            location=(),
            mesh=mesh,
            scope=scope,
            defaults=self.case.scenario.file.defaults,
            tell=self._call_finished,
            library=self.case.scenario.library,
        )

    # What the steps tell while they are done.

    def step_started(self, at: Place) -> None:
        self.emit(
            StepStarted(
                case=self.case.id,
                step=at.number,
                title=at.title,
                action=at.action,
                at=time.perf_counter() - self._begin,
            )
        )

    def step_finished(self, at: Place, outcome: Outcome, seconds: float) -> None:
        if outcome is Outcome.ERROR and self._cut_off is None:
            self._cut_off = at
        self.emit(StepFinished(case=self.case.id, step=at.number, outcome=outcome, seconds=seconds))

    def step_broke(self, at: Place, error: Exception) -> None:
        self._broken.setdefault(id(error), at)

    def _call_finished(self, at: Place, reply: Reply) -> None:
        self._last_call = reply
        if reply.layer == "grpc" and reply.status in _OF_THE_GONE:
            self._unreachable = True
        self.emit(
            CallFinished(
                case=self.case.id,
                step=at.number,
                node=reply.node,
                rpc=reply.rpc,
                request=later(lambda: reply.request),
                status=reply.status,
                layer=reply.layer,
                message=reply.message,
                response=later(lambda: reply.response),
                handled_by=reply.handled_by,
                seconds=reply.seconds,
                at=max(0.0, time.perf_counter() - self._begin - reply.seconds),
            )
        )

    # What went wrong, explained.

    def _unmet(self, error: Unmet, mesh: Mesh) -> None:
        answer = error.answer
        self._cut_off = error.at
        self.outcome, self.exit_code = Outcome.FAILED, ExitCode.FAILED
        hint = advice(error, target=self.target)
        self.failure = Failure(
            message=f"{error.message}\nhint: {hint}" if hint else error.message,
            position=error.at.library.document.position(self._pointed(error), key=True),
            step=_step_title(error.at),
            mismatches=error.mismatches,
            answer=None if answer is None else _shown(answer.values),
            requirements=self.case.scenario.file.requirements,
            route=() if answer is None else answer.route,
            logs=self._logs(mesh, () if answer is None else answer.route),
            reproduce=self._reproduce(),
            by_hand=self._by_hand(mesh),
            request=None if self._last_call is None else self._last_call.request,
            called=_called(self._last_call),
        )

    def _wrong(self, error: HarnessError, mesh: Mesh | None = None) -> None:
        crashed = isinstance(error, TargetFailed) and not error.lives
        at = self._broken.get(id(error), self._cut_off)
        outcome = Outcome.CRASHED if crashed else Outcome.ERROR
        if isinstance(error, TargetFailed) and error.lives:
            # It runs, and does not do what it was told: that is an answer like any other.
            outcome = Outcome.FAILED
        self._fail(outcome, error, str(error), at=at, mesh=mesh)

    def _fault(self, error: Exception, mesh: Mesh | None = None) -> None:
        told = f"a fault of the harness: {type(error).__name__}: {error}"
        at = self._broken.get(id(error))
        self._fail(Outcome.ERROR, None, told, at=at, mesh=mesh)
        self.exit_code = ExitCode.INTERNAL_FAULT

    def _fail(
        self,
        outcome: Outcome,
        error: HarnessError | None,
        message: str,
        *,
        at: Place | None = None,
        mesh: Mesh | None = None,
    ) -> None:
        document = self.case.scenario.document
        position = origin_of(error, document) if at is None else origin_in_step(error, at)
        if isinstance(error, InvalidInput) and len(error.problems) == 1:
            (problem,) = error.problems
            position = problem.position or position
            message = problem.message + (f"\nhint: {problem.hint}" if problem.hint else "")
        self.outcome = outcome
        self.exit_code = ExitCode.FAILED if error is None else error.exit_code
        self.failure = Failure(
            message=message,
            position=position,
            step=_step_title(at) if at is not None else "",
            requirements=self.case.scenario.file.requirements,
            logs={} if mesh is None else self._logs(mesh, ()),
            reproduce=self._reproduce(),
            by_hand=self._by_hand(mesh),
            request=None if self._last_call is None else self._last_call.request,
            called=_called(self._last_call),
        )

    def _pointed(self, error: Unmet) -> Location:
        """Returns the place of what the first mismatch is about, as far as the text goes."""
        if not error.mismatches:
            return error.location
        written: Any = error.at.library.document.value
        for step in error.location:
            written = written[step]
        return (*error.location, *pointed(written, error.mismatches[0].path))

    def _logs(self, mesh: Mesh, route: Sequence[str]) -> dict[str, str]:
        shown = set(route)
        tested = {
            node.name
            for node in mesh.topology.nodes
            if node.collector is None and node.peer is None and not node.serves
        }
        if not shown & tested:
            # What a helper was asked is about the collectors that are tested.
            shown |= tested
        tails = {
            node.name: node.log_tail(_LOG_LINES)
            for node in mesh.parts
            if not route or node.name in shown
        }
        return {name: tail for name, tail in tails.items() if tail}

    def _by_hand(self, mesh: Mesh | None) -> str:
        call = self._last_call
        if mesh is None or call is None or call.node not in mesh.nodes:
            return ""
        node = mesh[call.node]
        line = grpcurl_line(
            call.rpc, call.request, address=node.address, dialect=node.dialect, access=node.access
        )
        return line or ""

    def _reproduce(self) -> str:
        words = ["collector-harness", "run", self.case.address, "--seed", str(self.seed)]
        if self.case.round > 1:
            words += ["--repeat", str(self.case.round)]
        if not isinstance(self.target, Reference):
            words += ["--target", str(self.target)]
        return shlex.join(words)


def _can_die(part: MeshNode) -> bool:
    """Whether the end of a part becomes known: not that of one which somebody else runs."""
    if isinstance(part, MeshService) and not part.service.launched:
        return False
    return part.alive and part.collector is None


def _called(call: Reply | None) -> str:
    return "" if call is None else f"{call.node}: {call.rpc}"


def _step_title(at: Place) -> str:
    return f"{at.number}: {at.title}" if at.number else at.title


def _shown(values: Mapping[str, object]) -> object:
    """Returns an answer without what says nothing in it."""
    return {key: value for key, value in values.items() if value not in (None, "", {}, [])}
