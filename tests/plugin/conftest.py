"""Projects that use the plugin, and pytest running in them in a process of its own."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

# pytest that runs in this process forgets the modules that it imported; these stay.
import collector_harness.scenario.loading  # noqa: F401

Project = Callable[..., pytest.Pytester]

PASSING = """
    version: 1
    scenario: calls are routed
    tags: [routing, skip]
    requirements: [DSP-004]
    topology:
      nodes:
        west: {namespaces: [shop]}
        east: {namespaces: [shop], probe: [shop]}
      links: [west -> east]
    cases:
      known: {method: WhoAmI, status: OK}
      unknown: {method: Nope, status: NOT_FOUND}
    steps:
      - dispatch: shop/conformance.Probe.${case.method}
        via: west
        expect: {status: "${case.status}"}
"""

FAILING = """
    version: 1
    scenario: nobody is there
    requirements: [DSP-004]
    topology:
      nodes:
        west: {namespaces: [shop], probe: [shop]}
    steps:
      - dispatch: shop/conformance.Probe.Echo
        via: west
        input: {word: "${fake.word}"}
        expect: {status: OK, output: {word: nobody}}
"""

INVALID = """
    version: 1
    scenario: it has mistakes
    topology:
      nodes:
        west: {namespacs: [shop]}
    steps:
      - dispach: shop/conformance.Probe.WhoAmI
        via: west
"""


@pytest.fixture
def scenarios() -> dict[str, str]:
    """Scenario files by what becomes of them."""
    return {"passing": PASSING, "failing": FAILING, "invalid": INVALID}


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Writes a project: `project({"tests/test_it.py": TEXT})`; returns what runs pytest in it."""
    # Whatever a run leaves behind in the folder for temporary files would be seen here.
    scratch = pytester.path.parent / f"{pytester.path.name}-scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    # These two take longer to import than everything else in such a run.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:faker")

    def write(files: dict[str, str]) -> pytest.Pytester:
        settings = {"pytest.ini": "[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n"}
        for name, text in {**settings, **files}.items():
            path = pytester.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return pytester

    return write


@pytest.fixture
def scratch(project: Project, pytester: pytest.Pytester) -> Path:
    """The folder for temporary files that pytest in the project uses."""
    return pytester.path.parent / f"{pytester.path.name}-scratch"
