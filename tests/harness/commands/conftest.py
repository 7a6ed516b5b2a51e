"""Runs the command line as its users do: as a process."""

from __future__ import annotations

import contextlib
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
def run(tmp_path: Path, clean_environment: dict[str, str]) -> Run:
    """Runs `collector-harness` with these words in a folder of its own."""

    def run(
        *words: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        clean = {
            name: value
            for name, value in clean_environment.items()
            if name not in ("NO_COLOR", "FORCE_COLOR")
        }
        return subprocess.run(
            [sys.executable, "-m", "collector_harness", *words],
            cwd=tmp_path,
            env=clean | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    return run


class Background(Protocol):
    def __call__(self, *words: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Background]:
    """Starts `collector-harness` beside the test; what still runs at its end is killed.

    Standard error goes to the file `log` in the test's folder.
    """
    with contextlib.ExitStack() as started:

        def start(*words: str) -> subprocess.Popen[str]:
            log = started.enter_context((tmp_path / "log").open("a"))
            process = subprocess.Popen(
                [sys.executable, "-m", "collector_harness", *words],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start


@pytest.fixture
def served(background: Background, tmp_path: Path) -> str:
    """The address of a collector `west` that serves the probe in the namespace `demo`."""
    process = background("serve", "--id", "west", "--namespaces", "demo", "--probe", "demo")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (tmp_path / "log").read_text()
    return line.split()[-1]
