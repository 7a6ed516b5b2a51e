"""Commands as sides of a contest: how long one takes from its start to its end.

The end of what a command prints is shown when it fails.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.contests import Measure, MeasurementFailed

__all__ = ["timed_command", "timed_pytest"]

SHOWN_LINES = 30
PYTEST_OPTIONS = ("--import-mode=importlib", "-p", "no:cacheprovider")


def timed_command(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    runs: int = 1,
    says: str = "",
) -> Measure:
    """Returns a measure that runs a command in `folder`, `runs` times, one after the other.

    It yields the median under the name `time`, in milliseconds. `environment` is added to this
    process's own. The measure raises `MeasurementFailed` when the command does not end with 0,
    or does not print `says`.
    """

    async def run() -> float:
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        taken = time.perf_counter() - started
        text = output.decode(errors="replace")
        if process.returncode != 0 or says not in text:
            line = " ".join(map(str, command))
            tail = "\n".join(text.splitlines()[-SHOWN_LINES:])
            raise MeasurementFailed(f"`{line}` ended with {process.returncode}:\n{tail}")
        return taken * 1000

    async def measure() -> Mapping[str, float]:
        return {"time": statistics.median([await run() for _ in range(runs)])}

    return measure


def timed_pytest(
    python: str | Path, *, folder: Path, plugin: str, passed: int, import_paths: Sequence[Path] = ()
) -> Measure:
    """Returns a measure that runs the tests in `folder` by pytest with one plugin and no other.

    `plugin` is an entry point or a module, and `passed` how many tests must pass.
    `import_paths` come before those of this process. As `timed_command` otherwise.
    """
    paths = [*map(str, import_paths), *filter(None, [os.environ.get("PYTHONPATH")])]
    return timed_command(
        [python, "-m", "pytest", "-q", "--rootdir=.", *PYTEST_OPTIONS, "-p", plugin],
        folder=folder,
        environment={
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "",
            # Each run is as the first one after a checkout, whoever measures.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(paths),
        },
        says=f"{passed} passed",
    )
