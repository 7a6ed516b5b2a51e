"""The project as an installer leaves it: away from the checkout, and with its bytecode.

A checkout may have none of its own, as where PYTHONDONTWRITEBYTECODE is set: then each process
compiles all that it imports of ours, and nothing of what it is measured against.
"""

from __future__ import annotations

import atexit
import compileall
import functools
import shutil
import tempfile
from pathlib import Path

import benchmarks
import collector_harness
import collector_reference
from benchmarks.contests import MeasurementFailed

__all__ = ["installed"]

PACKAGES = (benchmarks, collector_harness, collector_reference)


@functools.cache
def installed() -> Path:
    """Returns the folder to import the packages from; it is there as long as this process.

    Raises `MeasurementFailed` where something does not compile.
    """
    folder = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for package in PACKAGES:
        (source,) = package.__path__
        shutil.copytree(
            source, folder / package.__name__, ignore=shutil.ignore_patterns("__pycache__")
        )
        if not compileall.compile_dir(folder / package.__name__, quiet=2):
            raise MeasurementFailed(f"{source} cannot be compiled")
    return folder
