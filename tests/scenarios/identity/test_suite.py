"""The identity system's scenarios, run as a user runs them. Pytest runs each of them as well."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_all_of_them_pass_shuffled_and_in_parallel() -> None:
    words = ("run", "scenarios/identity", "-j", "2", "--shuffle")
    ended = subprocess.run(
        [sys.executable, "-m", "collector_harness", *words],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
