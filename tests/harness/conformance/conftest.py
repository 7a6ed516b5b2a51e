from __future__ import annotations

import asyncio
import shlex
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from collector_harness.conformance.haste import HASTY_LIMITS
from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.verdicts import Verdict, Verdicts
from collector_harness.conformance.verify import verify
from collector_harness.declared import Declaration
from collector_harness.scenario.model.terms import parse_duration
from collector_harness.targets import parse_target

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def repository() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """Returns the target that runs a Python program of this repository."""

    def target(path: Path | str, *arguments: str) -> str:
        words = shlex.join([str(ROOT / path), *arguments])
        return f"exec:{{executable}} {words}"

    return target


@pytest.fixture(scope="session")
def stranger(program) -> Callable[[str], str]:
    """Returns the target of a program in `strangers`."""
    return lambda name: program(Path(__file__).parent / "strangers" / f"{name}.py")


@pytest.fixture(scope="session")
def judge() -> Callable[..., Verdicts]:
    """Verifies a target to the end; `declares` is what it says of itself, by name, beside the short
    limits that mutants keep.
    """

    def run(target: str, *, declares: Mapping[str, object] | None = None, **options) -> Verdicts:
        parsed = parse_target(target)
        if declares is not None:
            dialect = declares.get("dialect", "native")
            parsed = replace(parsed, declares=_declaration(declares), dialect=dialect)
        return asyncio.run(verify(parsed, **options))

    return run


@pytest.fixture
def nothing_built_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets an id select its own cases alone, and not those of what it builds on."""
    every = catalogue()
    alone = {each.id: replace(each, builds_on=()) for each in every}
    by_itself = replace(every, requirements=alone)
    monkeypatch.setattr("collector_harness.conformance.verify.catalogue", lambda: by_itself)


@pytest.fixture(scope="session")
def by_verdict() -> Callable[[Verdicts], dict[Verdict, set[str]]]:
    """Returns the ids of a result by their verdict, without verdicts that nobody got."""

    def sort(verdicts: Verdicts) -> dict[Verdict, set[str]]:
        sorted_ids: dict[Verdict, set[str]] = {}
        for each in verdicts.requirements:
            sorted_ids.setdefault(each.verdict, set()).add(each.requirement.id)
        return sorted_ids

    return sort


def _declaration(written: Mapping[str, object]) -> Declaration:
    """Reads the `limits` and `capabilities` of a mutant; durations are text such as `2s`."""
    limits = {
        name: parse_duration(value) if isinstance(value, str) else value
        for name, value in written.get("limits", {}).items()
    }
    capabilities = written.get("capabilities")
    return Declaration(
        limits=replace(HASTY_LIMITS, **limits),
        capabilities=None if capabilities is None else frozenset(capabilities),
    )


def load_mutants(folder: str = ".") -> dict[str, dict[str, object]]:
    """Returns the mutants of `tests/mutants/catalogue/`, or of a folder in it, by name."""
    mutants: dict[str, dict[str, object]] = {}
    for file in sorted((ROOT / "tests/mutants/catalogue" / folder).glob("*.toml")):
        mutants |= tomllib.loads(file.read_text())
    return mutants


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mutant" in metafunc.fixturenames:
        metafunc.parametrize("mutant", load_mutants())
    if "library_mutant" in metafunc.fixturenames:
        metafunc.parametrize("library_mutant", load_mutants("library"))


@pytest.fixture(scope="session")
def mutants() -> dict[str, dict[str, object]]:
    """What `tests/mutants/catalogue/` says of each mutant, by name."""
    return load_mutants()


@pytest.fixture(scope="session")
def library_mutants() -> dict[str, dict[str, object]]:
    """Those that only the Python API shows, by name."""
    return load_mutants("library")
