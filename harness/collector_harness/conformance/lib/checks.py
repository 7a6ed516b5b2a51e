"""What a library check is, and how one runs as a case of the suite: with events and an outcome.

The checks themselves are in the other modules here; which of them a run is about is `suite`'s.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import shlex
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from collector_harness.conformance.lib.by_hand import python_line
from collector_harness.errors import ExitCode, HarnessError, Position, TargetFailed
from collector_harness.events import (
    CaseFinished,
    CaseStarted,
    Emit,
    Failure,
    Mismatch,
    Outcome,
)
from collector_harness.mesh import Mesh
from collector_harness.scenario.case_run import Verdict
from collector_harness.scenario.matching import match
from collector_harness.targets import Target
from collector_harness.topology.values import Topology

__all__ = ["Bench", "LibraryCase", "Refuted", "library_cases", "library_check"]

_LIMIT = 60.0
"""Seconds that a check may take."""


class Refuted(Exception):
    """The collector does something else than the requirement says."""

    def __init__(self, message: str, mismatches: tuple[Mismatch, ...] = (), logs: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mismatches = mismatches
        self.logs = logs


class Bench:
    """What a check works on: meshes of the collector under test, in this process."""

    def __init__(self, *, target: Target, emit: Emit, seed: int) -> None:
        self.target = target
        """A reference or a `python:` target."""
        self.seed = seed
        """From which every random choice of the check comes."""
        self._emit = emit
        self._meshes: list[Mesh] = []

    @asynccontextmanager
    async def mesh(
        self, topology: Topology, *, target: Target | None = None
    ) -> AsyncIterator[Mesh]:
        """Starts a mesh whose nodes are the target, and stops it after the block.

        `mesh["hub"].collector` is the object with the Python API, `mesh["hub"].client` calls it.
        `target` is the bench's where it needs other settings.
        """
        mesh = Mesh(topology, target=target or self.target, emit=self._emit, seed=self.seed)
        self._meshes.append(mesh)
        try:
            await mesh.start()
            yield mesh
        finally:
            await mesh.stop()

    def expect(self, what: str, actual: object, expected: object) -> None:
        """Raises `Refuted` where a value does not match, as in a scenario's `expect`.

        `what` says in a sentence what has to be true.
        """
        mismatches = match(expected, actual)
        if mismatches:
            raise Refuted(what, tuple(mismatches))

    def logs(self) -> dict[str, str]:
        """The log tails of all nodes that there were, by name."""
        tails = {node.name: node.log_tail(40) for mesh in self._meshes for node in mesh}
        return {name: tail for name, tail in tails.items() if tail}


Check = Callable[[Bench], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, eq=False)
class LibraryCase:
    """A check as a case of the suite."""

    requirement: str
    """The id that it is for."""
    title: str
    """What is true when it passes."""
    file: Path
    line: int
    check: Check
    by_hand: str
    """Statements that show the same without the harness, as `by_hand.python_line` takes them."""
    settings: str
    """What they take of the collector's settings beside."""
    round: int = 1
    """Which of several times that it is run in one run, from 1."""

    @property
    def source(self) -> str:
        """The file, as it is shortest from here."""
        here = Path.cwd()
        return str(self.file.relative_to(here) if self.file.is_relative_to(here) else self.file)

    @property
    def id(self) -> str:
        """`file::title`, with ` #2` for a second round; unique in a run."""
        named = f"{self.source}::{self.title}"
        return named if self.round == 1 else f"{named} #{self.round}"

    @property
    def scenario(self) -> Hashable:
        """What it counts with as one scenario."""
        return self.id

    async def run(self, *, emit: Emit, seed: int, target: Target) -> Verdict:
        """Runs it, emits its beginning and its end, and returns how it ended."""
        emit(
            CaseStarted(
                case=self.id,
                scenario=self.title,
                source=self.source,
                requirements=(self.requirement,),
            )
        )
        begin = time.perf_counter()
        bench = Bench(target=target, emit=emit, seed=seed)
        outcome, code, failure = Outcome.PASSED, ExitCode.OK, None
        try:
            async with asyncio.timeout(_LIMIT):
                await _alone(self.check(bench))
        except Refuted as error:
            outcome, code = Outcome.FAILED, ExitCode.FAILED
            failure = self._failure(error.message, bench, seed, target, error.mismatches)
        except TimeoutError:
            outcome, code = Outcome.FAILED, ExitCode.FAILED
            failure = self._failure(f"it was not done within {_LIMIT:g}s", bench, seed, target)
        except TargetFailed as error:
            outcome = Outcome.FAILED if error.lives else Outcome.CRASHED
            code = error.exit_code
            failure = self._failure(str(error), bench, seed, target)
        except HarnessError as error:
            outcome, code = Outcome.ERROR, error.exit_code
            failure = self._failure(str(error), bench, seed, target)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the whole run
            outcome, code = Outcome.ERROR, ExitCode.INTERNAL_FAULT
            told = f"a fault of the harness: {type(error).__name__}: {error}"
            failure = self._failure(told, bench, seed, target)
        finished = CaseFinished(
            case=self.id,
            scenario=self.title,
            source=self.source,
            outcome=outcome,
            seconds=time.perf_counter() - begin,
            requirements=(self.requirement,),
            failure=failure,
        )
        emit(finished)
        return Verdict(finished=finished, exit_code=code)

    def _failure(
        self,
        message: str,
        bench: Bench,
        seed: int,
        target: Target,
        mismatches: tuple[Mismatch, ...] = (),
    ) -> Failure:
        words = ["collector-harness", "verify", str(target), "-k", self.requirement]
        return Failure(
            message=message,
            position=Position(source=self.source, line=self.line, column=1),
            step=self.title,
            mismatches=mismatches,
            requirements=(self.requirement,),
            logs=bench.logs(),
            reproduce=shlex.join([*words, "--seed", str(seed)]),
            by_hand=python_line(target, self.by_hand, settings=self.settings),
        )


async def _alone(check: Awaitable[None]) -> None:
    """Runs a check, and takes its refutation out of the group of tasks that it came from."""
    try:
        await check
    except ExceptionGroup as group:
        refuted: BaseException | None = group.subgroup(Refuted)
        while isinstance(refuted, BaseExceptionGroup):
            refuted = refuted.exceptions[0]
        if refuted is None:
            raise
        raise refuted from None


_registered: dict[tuple[str, str], LibraryCase] = {}


def library_check(
    requirement: str, *, title: str, by_hand: str, settings: str = ""
) -> Callable[[Check], Check]:
    """Registers an async function of a `Bench` as a case of a requirement.

    It returns when the requirement holds, and raises `Refuted`, best by `Bench.expect`, when it
    does not. The title never changes: it is part of the case's id. `by_hand` shows the same, as
    far as a few statements can; it and `settings` are what `by_hand.python_line` takes.
    """

    def register(check: Check) -> Check:
        code = check.__code__
        _registered[requirement, title] = LibraryCase(
            requirement=requirement,
            title=title,
            file=Path(code.co_filename),
            line=code.co_firstlineno,
            check=check,
            by_hand=by_hand,
            settings=settings,
        )
        return check

    return register


def library_cases() -> tuple[LibraryCase, ...]:
    """Returns every check of the package, in the order of requirement and title."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{__package__}.{module.name}")
    return tuple(_registered[key] for key in sorted(_registered))
