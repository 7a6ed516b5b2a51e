"""P15: how long a peer takes for the 1,000 one-call scenarios of P8 and P9, and how long ours.

The peer is Tavern with its gRPC backend. Both read their files from a folder, call one and the
same collector, which is a process of its own, and check the same number in each answer. One
sample is a whole command, from its start to its end.
"""

from __future__ import annotations

import sys
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from benchmarks import peers_tavern, thousand
from benchmarks.commands import timed_command, timed_pytest
from benchmarks.contests import Contest, Figure, Measure, Sides
from benchmarks.installed import installed
from benchmarks.ratios import Target
from benchmarks.serving import served
from collector_reference import Collector, CollectorSettings

__all__ = ["CONTESTS"]

NUMBERS = range(thousand.COUNT)
WIDTH = 16
COMMAND, ITEMS = "command", "items"

Files = Mapping[str, str]
"""Texts by the names of their files."""
Layout = Callable[[str], tuple[Files, Files]]
"""Returns Tavern's files and ours, for a collector at an address."""


@asynccontextmanager
async def probed() -> AsyncIterator[str]:
    """Serves a collector with the probe service, and yields its address."""
    settings = CollectorSettings(
        collector_id="hub", namespaces=(thousand.NAMESPACE,), probe=(thousand.NAMESPACE,)
    )
    async with Collector(settings) as collector:
        yield collector.address


def _topology(address: str) -> str:
    return f"nodes: {{hub: {{address: '{address}'}}}}"


def _many_files(address: str) -> tuple[Files, Files]:
    tavern = {
        f"test_{number}.tavern.yaml": peers_tavern.test_text(number, address) for number in NUMBERS
    }
    ours = {
        f"{number}.scenario.yaml": thousand.scenario_text(number, _topology(address))
        for number in NUMBERS
    }
    return tavern, ours


def _one_file(address: str) -> tuple[Files, Files]:
    tavern = {"test_all.tavern.yaml": peers_tavern.tests_text(NUMBERS, address)}
    ours = {"all.scenario.yaml": thousand.cases_text(NUMBERS, _topology(address))}
    return tavern, ours


def _by_command(folder: Path) -> Measure:
    command = Path(sysconfig.get_path("scripts")) / "collector-harness"
    return timed_command(
        [command, "run", ".", "-j", str(WIDTH)],
        folder=folder,
        environment={"PYTHONPATH": str(installed())},
        says=f"{thousand.COUNT} passed, 0 failed",
    )


def _as_items(folder: Path) -> Measure:
    return timed_pytest(
        sys.executable,
        folder=folder,
        plugin="collector-harness",
        passed=thousand.COUNT,
        import_paths=(installed(),),
    )


def _both(folder: Path) -> Measure:
    by_command, as_items = _by_command(folder), _as_items(folder)

    async def measure() -> Mapping[str, float]:
        return {
            COMMAND: (await by_command())["time"],
            ITEMS: (await as_items())["time"],
        }

    return measure


def _compared_with_both(peer: Measure) -> Measure:
    """Tavern is a plugin of pytest, and has no other command."""

    async def measure() -> Mapping[str, float]:
        return dict.fromkeys((COMMAND, ITEMS), (await peer())["time"])

    return measure


@asynccontextmanager
async def _open(layout: Layout) -> AsyncIterator[Sides]:
    python = peers_tavern.interpreter()
    with tempfile.TemporaryDirectory() as scratch:
        stubs = _folder(scratch, "stubs", {})
        await peers_tavern.generate_stubs(stubs)
        async with served(probed) as address:
            tavern, ours = layout(address)

            def peer(name: str) -> Measure:
                return _compared_with_both(
                    timed_pytest(
                        python,
                        folder=_folder(scratch, name, tavern),
                        plugin="tavern",
                        import_paths=(stubs,),
                        passed=thousand.COUNT,
                    )
                )

            yield Sides(
                floor=peer("floor"), ours=_both(_folder(scratch, "ours", ours)), again=peer("again")
            )


def _folder(scratch: str, name: str, files: Files) -> Path:
    folder = Path(scratch) / name
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def _figure(name: str, ours: str, laid_out: str, times_faster: int) -> Figure:
    return Figure(
        name=name,
        what=f"the 1,000 one-call scenarios of P8, {laid_out}, {ours}, all calls to one collector "
        "in a process of its own, validation and statistics on; floor: the same calls and checks "
        "by Tavern's gRPC backend with ready stubs, laid out alike; other plugins off, one "
        "process each",
        unit="ms",
        target=Target.at_most(1 / times_faster),
    )


def _contest(laid_out: str, layout: Layout) -> Contest:
    return Contest(
        figures=(
            _figure(COMMAND, f"by `collector-harness run`, {WIDTH} wide", laid_out, 25),
            _figure(ITEMS, "as pytest items", laid_out, 6),
        ),
        open=partial(_open, layout),
    )


CONTESTS = (_contest("a file for each", _many_files), _contest("one file for all", _one_file))
