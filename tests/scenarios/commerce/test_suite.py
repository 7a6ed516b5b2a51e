"""The shop's scenarios of practices fail without theirs. That all pass with them, pytest sees when
it collects the scenarios themselves.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SUITE = ROOT / "scenarios" / "commerce"
PRACTICES = sorted(
    file.name.partition(".")[0] for file in (SUITE / "practices").glob("*.scenario.yaml")
)


def run(*words: str, without: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "collector_harness", "run", *words, "-j", "1"],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "COMMERCE_WITHOUT": without},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize("practice", PRACTICES)
def test_a_practice_that_is_left_out_fails_its_scenario(practice: str) -> None:
    ended = run(str(SUITE / "practices" / f"{practice}.scenario.yaml"), without=practice)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "FAILED" in ended.stdout
    assert "CRASHED" not in ended.stdout
