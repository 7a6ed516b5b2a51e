"""Runs the command line as its users do: as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest


class Run(Protocol):
    def __call__(
        self, *words: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `collector-harness` with these words in a folder of its own."""

    def run(
        *words: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("COLLECTOR_") and name not in ("NO_COLOR", "FORCE_COLOR")
        }
        return subprocess.run(
            [sys.executable, "-m", "collector_harness", *words],
            cwd=tmp_path,
            env=clean | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run
