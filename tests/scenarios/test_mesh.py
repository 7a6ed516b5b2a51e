"""The scenarios that `make run` runs: each passes, and what a stranger sees is in order."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from collector_harness.scenario.loading import Scenario, load_scenario

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "scenarios" / "mesh").glob("*.scenario.yaml"))
SCENARIOS = [load_scenario(path, str(path.relative_to(ROOT))) for path in FILES]


@pytest.fixture
def run(clean_environment: dict[str, str]) -> Run:
    def run(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "collector_harness", "run", *words],
            cwd=cwd,
            env=clean_environment | {"NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_all_of_them_pass_and_nothing_else_is_printed(run: Run, tmp_path: Path) -> None:
    totals = tmp_path / "totals.json"
    ended = run("scenarios/mesh", "--json", str(totals))
    assert ended.returncode == 0, ended.stdout
    assert ended.stderr == ""
    cases = sum(len(scenario.cases) for scenario in SCENARIOS)
    counted = json.loads(totals.read_text())
    assert (counted["scenarios"], counted["cases"]) == (len(FILES), cases)
    assert (counted["passed"], counted["failed"]) == (cases, 0)
    assert re.search(
        r"^mesh +collector-1 127\.0\.0\.1:\d+, collector-2 127\.0\.0\.1:\d+, "
        r"collector-3 127\.0\.0\.1:\d+; 2 links",
        ended.stdout,
        re.MULTILINE,
    )
    table = ended.stdout.partition("\n\n")[2].splitlines()
    assert [line.split("  ")[0] for line in table[2 : 2 + len(FILES)]] == [
        scenario.title for scenario in SCENARIOS
    ]


def test_they_pass_one_after_the_other_and_from_another_folder(run: Run, tmp_path: Path) -> None:
    ended = run(str(ROOT / "scenarios" / "mesh"), "-j", "1", cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout
    assert ended.stderr == ""


@pytest.mark.parametrize("scenario", [pytest.param(each, id=each.title) for each in SCENARIOS])
def test_a_title_is_a_plain_statement_that_fits_the_table(scenario: Scenario) -> None:
    assert len(scenario.title) <= 72
    assert scenario.title[0].islower()
    assert not scenario.title.endswith(".")


def test_titles_are_unique() -> None:
    assert len({scenario.title for scenario in SCENARIOS}) == len(SCENARIOS) > 5


def test_the_lessons_on_routing_run_on_three_reference_collectors() -> None:
    lessons = [each for each in SCENARIOS if "/mesh/0" in each.source]
    names = [tuple(node.name for node in each.topology.nodes) for each in lessons]
    three = [each for each in names if each == ("collector-1", "collector-2", "collector-3")]
    assert len(three) > len(names) / 2
    assert any(len(each) == 10 for each in names)
