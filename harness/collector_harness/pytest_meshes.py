"""What one pytest process runs meshes with: a loop in a background thread, and a pool on it.

Both are made when a test first needs them, and closed when pytest ends, however it
ends. Nothing here is a fixture or a hook.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from collector_harness.errors import HarnessError, InvalidInput

if TYPE_CHECKING:
    from collector_harness.blocking import BlockingMesh
    from collector_harness.events import CaseFinished, Emit, Event
    from collector_harness.pytest_options import HarnessOptions
    from collector_harness.runtime import Runtime
    from collector_harness.scenario.loading import Case
    from collector_harness.scenario.pool import MeshPool
    from collector_harness.targets import Target
    from collector_harness.topology.values import Topology

__all__ = ["Definition", "Meshes", "TopologyFactory"]

Definition: TypeAlias = Union[str, Path, Mapping[str, object], "Topology"]
"""A topology as YAML text, as the path of a YAML file, as a mapping, or as a value."""


class Meshes:
    """Lends meshes to the tests of one pytest process."""

    def __init__(self, options: HarnessOptions, emit: Emit | None = None) -> None:
        self.options = options
        self._emit = emit
        self._runtime: Runtime | None = None
        self._pool: MeshPool | None = None

    @cached_property
    def target(self) -> Target:
        """The collector under test."""
        return self.options.the_target()

    @property
    def runtime(self) -> Runtime:
        """The loop that everything runs on."""
        if self._runtime is None:
            from collector_harness.runtime import Runtime

            self._runtime = Runtime()
        return self._runtime

    @property
    def pool(self) -> MeshPool:
        """The running meshes; to be used on the loop of `runtime` only."""
        if self._pool is None:
            from collector_harness.scenario.pool import MeshPool

            self._pool = MeshPool(
                target=self.target, databases=self.options.parse_databases(), emit=self._emit
            )
        return self._pool

    @contextlib.contextmanager
    def lend(self, topology: Topology, *, faults: bool = False) -> Iterator[BlockingMesh]:
        """Lends a running mesh of that definition, which nobody else uses meanwhile.

        With `faults` all of it can be disturbed. Raises `TargetFailed` when a node does not start
        and `EnvironmentLacks` when the machine lacks what the mesh needs.
        """
        __tracebackhide__ = True
        from collector_harness.blocking import BlockingMesh
        from collector_harness.faults.plan import NO_FAULTS, FaultPlan

        plan = FaultPlan.everything(topology) if faults else NO_FAULTS
        lease = self.pool.lease(topology, plan=plan, seed=self.options.seed)
        try:
            mesh = self.runtime.run(lease.__aenter__())
        except HarnessError as error:
            # How the harness came to know it is of no use to whoever wrote the test.
            raise error.with_traceback(None) from None
        try:
            yield BlockingMesh(mesh, self.runtime)
        except BaseException:
            self.runtime.run(lease.__aexit__(*sys.exc_info()))
            raise
        self.runtime.run(lease.__aexit__(None, None, None))

    def run_case(self, case: Case) -> CaseFinished:
        """Runs a case of a scenario to its end, and tells how it ended."""
        from collector_harness.scenario.needs import run_if_able

        verdict = self.runtime.run(
            run_if_able(
                case,
                pool=self.pool,
                emit=self._emit or _ignore,
                seed=self.options.seed,
                target=self.target,
            )
        )
        return verdict.finished

    def close(self) -> None:
        """Stops every mesh and ends the loop. Safe to call again, and when nothing was used."""
        runtime, pool = self._runtime, self._pool
        self._runtime = self._pool = None
        if runtime is None:
            return
        try:
            if pool is not None:
                runtime.run(pool.close())
        finally:
            runtime.close()


class TopologyFactory:
    """Lends running meshes: what the fixture `topology_factory` is.

    ::

        with topology_factory("nodes: {west: {namespaces: [users]}}") as mesh:
            mesh["west"].dispatch("users", "UserService", "Get")
    """

    def __init__(self, meshes: Meshes, folder: Path) -> None:
        self._meshes = meshes
        self._folder = folder

    def __call__(
        self, definition: Definition, *, faults: bool = False
    ) -> AbstractContextManager[BlockingMesh]:
        """Returns a context that holds a running mesh of that definition.

        With `faults` every node and link gets a proxy, so that `mesh.fault` can disturb the bytes
        between them; killing and restarting need none.
        Meshes of equal definition are used again: at the end of the context the mesh is put
        back to its start, or stopped where that cannot be done or an error left the context.
        A relative path starts at the folder of the test file. Raises `InvalidInput` with
        every problem of the definition; what starting may raise is raised on entering.
        """
        __tracebackhide__ = True
        return self._meshes.lend(self.parse(definition), faults=faults)

    def parse(self, definition: Definition) -> Topology:
        """Returns the definition as a value; raises `InvalidInput` with every problem."""
        __tracebackhide__ = True
        from collector_harness.topology.grammar import parse_topology

        if isinstance(definition, Path):
            return parse_topology(self._folder / definition, source=str(definition))
        return parse_topology(definition)


def definition_of(arguments: tuple[object, ...], named: Mapping[str, object]) -> Definition:
    """Returns the definition that the marker `topology` carries.

    That is its one argument, or its named arguments as a mapping: `topology(nodes={...})`.
    """
    if len(arguments) == 1 and not named:
        return arguments[0]  # type: ignore[return-value]  # parse_topology judges it
    if named and not arguments:
        return named
    raise InvalidInput(
        "the marker 'topology' takes one definition: text, a path, a mapping or a Topology, "
        "or else the parts of a mapping by name: nodes=..., links=..."
    )


def _ignore(event: Event) -> None:
    """Takes an event: the outcome of a case is all that pytest shows."""
