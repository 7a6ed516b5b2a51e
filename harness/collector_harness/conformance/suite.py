"""The conformance suite: the scenario files, and which requirement each of them is for.

Reads and checks the files; nothing is started here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from collector_harness.conformance.requirements import Catalogue
from collector_harness.errors import InternalFault
from collector_harness.resources import conformance_suite
from collector_harness.scenario.loading import Case, Scenario, load_scenario

__all__ = ["Suite", "SuiteCase", "load_suite"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteCase:
    """A case of the suite."""

    case: Case
    name: str
    """Its id, the same on every machine: `dsp/DSP-007.scenario.yaml::title[name]`."""


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
    return Suite(cases={key: tuple(found) for key, found in cases.items()})


def _scenarios(root: Path) -> Iterator[Scenario]:
    for path in sorted(root.rglob("*.scenario.yaml")):
        yield load_scenario(path, _shown(path))


def _shown(path: Path) -> str:
    """Returns the path as it is shortest for whoever looks for the file from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
