"""P9: how long pytest takes for the 1,000 one-call scenarios, collected and run.

Twice: with a file for each, and with one file for all. The floor is laid out alike.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from benchmarks import thousand
from benchmarks.commands import timed_pytest
from benchmarks.contests import Contest, Figure, Measure, Sides
from benchmarks.installed import installed
from benchmarks.ratios import Target

__all__ = ["CONTESTS"]

NUMBERS = range(thousand.COUNT)

_TEST = """\
def test_number_{number}_comes_back(call):
    call({number})
"""

_PARAMETRIZED = """\
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_every_number_comes_back(call, number):
    call(number)
"""


def _many_files() -> tuple[Mapping[str, str], Mapping[str, str]]:
    plain = {f"test_{number}.py": _TEST.format(number=number) for number in NUMBERS}
    ours = {f"{number}.scenario.yaml": thousand.scenario_text(number) for number in NUMBERS}
    return plain, ours


def _one_file() -> tuple[Mapping[str, str], Mapping[str, str]]:
    plain = {"test_all.py": _PARAMETRIZED.format(count=thousand.COUNT)}
    return plain, {"all.scenario.yaml": thousand.cases_text(NUMBERS)}


@asynccontextmanager
async def _open(*, many: bool) -> AsyncIterator[Sides]:
    plain, ours = _many_files() if many else _one_file()
    with tempfile.TemporaryDirectory() as scratch:

        def side(name: str, files: Mapping[str, str], plugin: str) -> Measure:
            folder = Path(scratch) / name
            folder.mkdir()
            for file, text in files.items():
                (folder / file).write_text(text, encoding="utf-8")
            return timed_pytest(
                sys.executable,
                folder=folder,
                plugin=plugin,
                passed=thousand.COUNT,
                import_paths=(installed(),),
            )

        yield Sides(
            floor=side("floor", plain, "benchmarks.plain_pytest"),
            ours=side("ours", ours, "collector-harness"),
            again=side("again", plain, "benchmarks.plain_pytest"),
        )


def _contest(layout: str, *, many: bool) -> Contest:
    figure = Figure(
        name="time",
        what=f"pytest collects and runs the 1,000 one-call scenarios of P8, {layout}, on one "
        "shared mesh, validation on, other plugins off, packages with bytecode and tests without; "
        "floor: plain pytest with one sync stub call each to a bare server in process, laid out "
        "alike",
        unit="ms",
        target=Target.at_most(1.2),
    )
    return Contest(figures=(figure,), open=partial(_open, many=many))


CONTESTS = (
    _contest("a file for each", many=True),
    _contest("one file with 1,000 cases", many=False),
)
