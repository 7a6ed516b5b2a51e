"""Which benchmarks there are: found by file name, imported only when they are run.

`p4_start.py` is P4. A new benchmark is one new file that defines `CONTESTS`.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable

import benchmarks
from benchmarks.contests import Contest

__all__ = ["APART", "contests_of", "ids_in", "modules"]

APART = frozenset({"P15"})
"""Benchmarks that run only when they are named, since they need an environment of their own."""


def ids_in(names: Iterable[str]) -> dict[str, str]:
    """Returns the benchmarks' ids and module names out of all module names, in order of ids."""
    found = [(int(match[1]), name) for name in names if (match := re.match(r"p(\d+)_\w+$", name))]
    return {f"P{number}": name for number, name in sorted(found)}


def modules() -> dict[str, str]:
    """Returns the module name of every benchmark by its id."""
    return ids_in(module.name for module in pkgutil.iter_modules(benchmarks.__path__))


def contests_of(module: str) -> tuple[Contest, ...]:
    """Imports a benchmark and returns its contests."""
    contests: tuple[Contest, ...] = importlib.import_module(f"benchmarks.{module}").CONTESTS
    return contests
