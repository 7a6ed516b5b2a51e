"""P10: a thousand scenario files, read and checked, against what PyYAML's C loader takes to read
them.

The floor makes mappings and lists of the files, and knows of no mistake in them; ours knows where
everything stands and has checked every name.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from benchmarks.contests import Contest, Figure, MeasurementFailed, Sides
from benchmarks.ratios import Target
from benchmarks.thousand import COUNT, scenario_text
from collector_harness.scenario.loading import load_scenario

__all__ = ["CONTESTS"]


@asynccontextmanager
async def _open() -> AsyncIterator[Sides]:
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / f"s{number}.scenario.yaml" for number in range(COUNT)]
        for number, file in enumerate(files):
            file.write_text(scenario_text(number), encoding="utf-8")

        async def floor() -> Mapping[str, float]:
            begin = time.perf_counter()
            for file in files:
                with file.open("rb") as text:
                    read = yaml.load(text, Loader=yaml.CSafeLoader)
                if read["version"] != 1:
                    raise MeasurementFailed(f"{file} was read as {read}")
            return {"time": (time.perf_counter() - begin) * 1000}

        async def ours() -> Mapping[str, float]:
            begin = time.perf_counter()
            for file in files:
                if len(load_scenario(file).cases) != 1:
                    raise MeasurementFailed(f"{file} has no case")
            return {"time": (time.perf_counter() - begin) * 1000}

        yield Sides(floor=floor, ours=ours, again=floor)


CONTESTS = (
    Contest(
        figures=(
            Figure(
                name="time",
                what="1,000 one-call scenario files read and checked whole; "
                "floor: CSafeLoader alone",
                unit="ms",
                target=Target.at_most(2),
            ),
        ),
        open=_open,
    ),
)
