"""Runs the command line as its users do: as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
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


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a collector `west` that serves the probe in the namespace `demo`."""
    words = ["serve", "--id", "west", "--namespaces", "demo", "--probe", "demo"]
    with (tmp_path / "west.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "collector_harness", *words],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (tmp_path / "west.log").read_text()
            yield line.split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
