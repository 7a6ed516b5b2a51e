"""P11: what the product costs those who do not use it yet: its help, and its plugin at rest.

Everything is a process of its own, from its start to its end.
"""

from __future__ import annotations

import re
import sys
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib import metadata
from pathlib import Path

from benchmarks.commands import timed_command
from benchmarks.contests import Contest, Figure, Measure, Sides
from benchmarks.installed import installed
from benchmarks.ratios import Target

__all__ = ["CONTESTS"]

DISTRIBUTION = "collector-harness"
RUNS = 5


@asynccontextmanager
async def _open_help() -> AsyncIterator[Sides]:
    command = Path(sysconfig.get_path("scripts")) / "collector-harness"
    with tempfile.TemporaryDirectory() as scratch:

        def python() -> Measure:
            return timed_command([sys.executable, "-c", ""], folder=Path(scratch), runs=RUNS)

        ours = timed_command(
            [command, "--help"],
            folder=Path(scratch),
            environment={"PYTHONPATH": str(installed())},
            runs=RUNS,
            says="Usage",
        )
        yield Sides(floor=python(), ours=ours, again=python())


@asynccontextmanager
async def _open_pytest(plugins: Callable[[], Sequence[str]]) -> AsyncIterator[Sides]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")

        def pytest(*names: str) -> Measure:
            options = [option for name in names for option in ("-p", name)]
            return timed_command(
                [sys.executable, "-m", "pytest", "-q", *options, "test_nothing.py"],
                folder=folder,
                environment={
                    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                    "PYTEST_ADDOPTS": "",
                    "PYTHONPATH": str(installed()),
                },
                runs=RUNS,
                says="1 passed",
            )

        yield Sides(floor=pytest(), ours=pytest(*plugins()), again=pytest())


def _own_plugin() -> list[str]:
    return list(_plugins_of({DISTRIBUTION}))


def _installed_plugins() -> list[str]:
    """Returns every plugin that pytest loads because the distribution is installed."""
    return list(_plugins_of(_closure(DISTRIBUTION) - _closure("pytest")))


def _plugins_of(distributions: set[str]) -> Iterator[str]:
    for name in sorted(distributions):
        for entry_point in metadata.distribution(name).entry_points:
            if entry_point.group == "pytest11":
                yield entry_point.name


def _closure(distribution: str) -> set[str]:
    """Returns a distribution and all that is installed because of it, extras left out."""
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        name = waiting.pop()
        try:
            required = metadata.distribution(name).requires or []
        except metadata.PackageNotFoundError:
            continue  # required on another system or Python only
        if name not in found:
            found.add(name)
            waiting += [
                match[0].lower().replace("_", "-")
                for text in required
                if "extra ==" not in text and (match := re.match(r"[\w.-]+", text))
            ]
    return found


def _contest(
    what: str, target: Target, opening: Callable[[], AbstractAsyncContextManager[Sides]]
) -> Contest:
    figure = Figure(name="time", what=what, unit="ms", target=target)
    return Contest(figures=(figure,), open=opening)


CONTESTS = (
    _contest(
        "`collector-harness --help`; floor: Python that does nothing",
        Target.at_most(6),
        _open_help,
    ),
    _contest(
        "pytest on one empty test with the plugin loaded and unused; floor: the same without; "
        "other plugins off; the target is 15 ms more",
        Target.at_most_added(15),
        partial(_open_pytest, _own_plugin),
    ),
    _contest(
        "pytest on one empty test with the plugin and those that its dependencies install; "
        "floor: the same without; other plugins off; the target is 15 ms more",
        Target.at_most_added(15),
        partial(_open_pytest, _installed_plugins),
    ),
)
