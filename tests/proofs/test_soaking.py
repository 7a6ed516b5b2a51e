"""Load with faults leaves nothing behind: a few seconds of what `make soak` does for minutes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_meshes_hold_does_not_grow_under_load_and_faults() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "scripts/soak.py", "--minutes", "0.1", "--seed", "20260101"],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=150,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr[-4000:]
    for mesh in ("processes", "in process"):
        told = re.search(rf"^{mesh}: (.*); faults (.*)$", ended.stdout, re.MULTILINE)
        assert told is not None, ended.stdout
        assert "'OK': " in told[1]
        assert "'kill': " in told[2]
    assert ended.stdout.count("at the end: ") == 2
