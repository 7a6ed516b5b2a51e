"""The identity system's scenarios, run as a user runs them.

Pytest has every scenario of the folder among its items, in any order and in parallel. Those that
break nothing are run here by the command as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
FILES = sorted(
    str(file.relative_to(ROOT)) for file in (ROOT / "scenarios/identity").glob("0*.scenario.yaml")
)


def test_they_pass_shuffled_and_in_parallel() -> None:
    assert len(FILES) == 9
    words = ("run", *FILES, "-j", "2", "--shuffle")
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
