"""A project that has the plugin installed and does not use it hardly notices."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import collector_harness

HEAVY = ("grpc", "google.protobuf", "pydantic", "yaml", "faker", "rich", "click")


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    program = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import collector_harness.pytest_plugin\n"
        "print(*sorted(name for name in set(sys.modules) - before))\n"
    )
    imported = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "collector_harness.pytest_plugin" in imported
    assert [name for name in imported if not name.startswith("collector_harness")] == []


def test_a_run_without_meshes_imports_nothing_heavy(project) -> None:
    pytester = project(
        {
            "test_it.py": f"""
                import sys

                def test_it(request):
                    assert request.config.pluginmanager.has_plugin("collector-harness")
                    assert [name for name in {HEAVY} if name in sys.modules] == []
            """
        }
    )

    result = pytester.runpytest_subprocess()

    assert result.parseoutcomes() == {"passed": 1}


@pytest.mark.parametrize("target", ["reference", "process:reference"])
def test_the_environment_of_the_process_stays_as_it_is(project, scenarios, target: str) -> None:
    pytester = project(
        {
            "calls.scenario.yaml": scenarios["passing"],
            "test_it.py": "def test_it(collector): pass",
            "conftest.py": """
                import atexit, os

                before = dict(os.environ)

                def compare():
                    now = dict(os.environ)
                    # pytest's own, set before each test and at its start.
                    changed = {k for k in now | before if now.get(k) != before.get(k)}
                    print("changed:", changed - {"PYTEST_CURRENT_TEST", "PYTEST_VERSION"})

                atexit.register(compare)
            """,
        }
    )

    result = pytester.runpytest_subprocess("-s", "--collector-target", target)

    assert result.parseoutcomes() == {"passed": 3}
    result.stdout.fnmatch_lines(["changed: set()"])


def test_only_what_pytest_makes_public_is_used() -> None:
    package = Path(collector_harness.__file__).parent
    users = {path.name: path.read_text() for path in package.rglob("*.py")}
    users = {name: text for name, text in users.items() if "import pytest" in text}
    assert {"pytest_plugin.py", "scenario_items.py"} <= users.keys()
    private = r"\b(?:from|import) _pytest|\b(?:pytest|config|parser|session|request|parent)\._\w+"
    assert {name: used for name, text in users.items() if (used := re.findall(private, text))} == {}


@pytest.mark.parametrize("given", [True, False])
def test_only_a_suite_with_scenarios_is_kept_out_of_the_search_for_garbage(
    project, scenarios, given: bool
) -> None:
    files = {"calls.scenario.yaml": scenarios["passing"]} if given else {}
    pytester = project(
        {
            **files,
            "test_it.py": f"""
                import gc

                def test_it():
                    assert gc.isenabled()
                    assert (gc.get_freeze_count() > 0) is {given}
            """,
        }
    )

    result = pytester.runpytest_subprocess()

    assert result.parseoutcomes() == {"passed": 3 if given else 1}
