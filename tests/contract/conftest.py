"""Runs Python in a process of its own, where an author's generated code can be imported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# What protobuf 6 says of the older generated code that an extra brings along.
WARNED = "ignore:Protobuf gencode version"
AUTHORED = Path(__file__).parent / "authored"

Fresh = Callable[[str], str]


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    """Runs a program in a fresh interpreter that finds the author's code; returns its output."""

    def run(program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-W", WARNED, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(AUTHORED)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
