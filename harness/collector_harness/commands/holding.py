"""`verify --hold CASE`: the topology of a case, left up for a debugger until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collector_harness.scenario.loading import Case
    from collector_harness.targets import Target

__all__ = ["hold_case"]


def hold_case(target: Target, name: str) -> int:
    """Brings up what a case of the suite runs on, prints the addresses, and stays until Ctrl-C.

    `name` is the id of a case or of a requirement. Raises `InvalidInput` for one that there is not.
    """
    from collector_harness.commands.signals import run_until_signalled
    from collector_harness.errors import ExitCode

    case = _case(name)
    return run_until_signalled(lambda: _stay_up(case, target), terminated=ExitCode.OK)


def _case(name: str) -> Case:
    from collector_harness.conformance.requirements import catalogue
    from collector_harness.conformance.suite import load_suite
    from collector_harness.documents import did_you_mean
    from collector_harness.errors import InvalidInput, Problem
    from collector_harness.scenario.loading import Case

    every = catalogue()
    suite = load_suite(catalogue=every)
    named = {each.name: each for cases in suite.cases.values() for each in cases}
    found = named.get(name)
    if found is None and name.upper() in suite.cases:
        found = suite.cases[name.upper()][0]
    if found is None:
        hint = did_you_mean(name, [*suite.cases, *named], what="the cases are")
        raise InvalidInput(Problem(message=f"there is no case '{name}'", hint=hint))
    if not isinstance(found.case, Case):
        raise InvalidInput(
            Problem(
                message=f"'{name}' is a check of the Python API, which has no topology to hold",
                hint=f"its code is in {found.source}",
            )
        )
    return found.case


async def _stay_up(case: Case, target: Target) -> int:
    import asyncio
    import sys

    from collector_harness.commands.mesh_guide import mesh_guide
    from collector_harness.conformance.haste import in_haste
    from collector_harness.mesh import Mesh
    from collector_harness.reports.lines import Span, line
    from collector_harness.reports.screen import open_screen

    scenario = case.scenario
    mesh = Mesh(scenario.topology, target=in_haste(target), plan=scenario.plan)
    try:
        await mesh.start()
        addresses = {part.name: part.address for part in mesh.parts}
        about = line(Span(case.id, "strong"), f" on {target}")
        open_screen(sys.stdout).show((about, *mesh_guide(scenario.topology, addresses)))
        while not mesh.failures():  # noqa: ASYNC110 - that a node died is a state of it, no event
            await asyncio.sleep(0.2)
        raise mesh.failures()[0]
    finally:
        await mesh.stop()
