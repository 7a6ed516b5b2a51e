"""What was found of the mutants against the whole suite is kept, and shown as it was found."""

from __future__ import annotations

import json
import subprocess
import sys

from collector_harness.conformance.requirements import catalogue


def rows(repository) -> dict[str, dict[str, object]]:
    path = repository / "tests/mutants/matrix.json"
    return json.loads(path.read_text())["mutants"] if path.exists() else {}


def test_the_page_shows_the_catalogue_and_the_matrix(repository):
    ended = subprocess.run(
        [sys.executable, repository / "scripts/generate_mutants_page.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_no_mutant_is_accused_of_what_it_does_not_touch(repository, mutants):
    found = rows(repository)
    assert found
    for name, row in found.items():
        touches = set(mutants[name].get("touches", {}))
        assert row["breaks"] == mutants[name]["breaks"], name
        assert row["breaks"] in row["broken"], name
        assert set(row["broken"]) <= {row["breaks"]} | touches, name


def test_a_mutant_touches_requirements_that_there_are_for_a_reason(mutants):
    for name, mutant in mutants.items():
        for key, why in mutant.get("touches", {}).items():
            assert key in catalogue(), name
            assert key != mutant["breaks"], name
            assert why, name
