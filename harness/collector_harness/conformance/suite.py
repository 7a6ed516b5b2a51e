"""The conformance suite: its cases, and which requirement each of them is for.

Most are scenario files; what only the Python API shows is in `conformance.lib`. Reads and checks
the files; nothing is started here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from collector_harness.conformance.lib.checks import LibraryCase, library_cases
from collector_harness.conformance.requirements import Catalogue
from collector_harness.errors import InternalFault
from collector_harness.resources import conformance_suite
from collector_harness.scenario.loading import Case, Scenario, load_scenario

__all__ = ["Suite", "SuiteCase", "load_suite"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteCase:
    """A case of the suite."""

    case: Case | LibraryCase
    name: str
    """Its id, the same on every machine: `dsp/DSP-007.scenario.yaml::title[name]`, or
    `lib/srv.py::title`."""

    @property
    def source(self) -> str:
        """The file, as the user would name it."""
        return self.case.scenario.source if isinstance(self.case, Case) else self.case.source

    @property
    def scenario(self) -> Scenario | None:
        """What it does, where that is written as a scenario."""
        return self.case.scenario if isinstance(self.case, Case) else None

    def rounds(self, count: int) -> tuple[Case | LibraryCase, ...]:
        """Returns the case so many times, each with an id of its own."""
        return tuple(replace(self.case, round=number) for number in range(1, count + 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """All cases of the suite."""

    cases: Mapping[str, tuple[SuiteCase, ...]]
    """By requirement id. A case that stands for several is under each of them."""

    @property
    def covered(self) -> frozenset[str]:
        """The ids of the requirements that have a case."""
        return frozenset(self.cases)


def load_suite(folder: Path | None = None, *, catalogue: Catalogue) -> Suite:
    """Reads every scenario below a folder, by default the suite that is shipped.

    Raises `InvalidInput` with every problem of a file, and `InternalFault` for a file that
    names no requirement, or one that the catalogue does not have.
    """
    root = (conformance_suite() if folder is None else folder).resolve()
    cases: dict[str, list[SuiteCase]] = {}
    for scenario in _scenarios(root):
        if not scenario.file.requirements:
            raise InternalFault(f"{scenario.source} names no requirement")
        path = Path(scenario.source).resolve().relative_to(root).as_posix()
        found = [
            SuiteCase(case=case, name=f"{path}{case.id.removeprefix(scenario.source)}")
            for case in scenario.cases
        ]
        for key in scenario.file.requirements:
            if key not in catalogue:
                raise InternalFault(f"{scenario.source} names {key}: no such requirement")
            cases.setdefault(key, []).extend(found)
    # A folder of somebody's own is that, and nothing beside it.
    for check in library_cases() if folder is None else ():
        name = f"lib/{check.file.name}::{check.title}"
        cases.setdefault(catalogue[check.requirement].id, []).append(
            SuiteCase(case=check, name=name)
        )
    return Suite(cases={key: tuple(found) for key, found in cases.items()})


def _scenarios(root: Path) -> Iterator[Scenario]:
    for path in sorted(root.rglob("*.scenario.yaml")):
        yield load_scenario(path, _shown(path))


def _shown(path: Path) -> str:
    """Returns the path as it is shortest for whoever looks for the file from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
