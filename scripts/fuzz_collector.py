"""A reference collector in a process of its own that tells figures of itself: a line of JSON on
standard output for each line on standard input.

`fuzz.py` and `soak.py` start it; what it is asked to endure is theirs. It is configured by the
launch contract, as every collector.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from collector_reference import Collector, CollectorSettings

__all__ = ["Figures", "Observed", "own_figures", "spawn"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What a process holds at a moment."""

    rss: int
    """Resident memory in KiB."""
    threads: int
    descriptors: int
    tasks: int
    """Tasks of its loop that have not ended."""

    def __str__(self) -> str:
        return (
            f"{self.rss / 1024:.1f} MiB, {self.threads} threads, "
            f"{self.descriptors} descriptors, {self.tasks} tasks"
        )

    def over(self, first: Figures, *, mebibytes: int, others: int) -> list[str]:
        """Returns in words what has grown by more than is allowed."""
        grown = {
            "MiB": (self.rss - first.rss) / 1024 - mebibytes,
            "threads": self.threads - first.threads - others,
            "descriptors": self.descriptors - first.descriptors - others,
            "tasks": self.tasks - first.tasks - others,
        }
        return [f"{by:.1f} {what} more than allowed" for what, by in grown.items() if by > 0]


def own_figures() -> Figures:
    """Returns the figures of this process, whose loop runs; garbage is collected before."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    (rss,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return Figures(
        rss=rss,
        threads=max(threading.active_count(), _entries("task")),
        descriptors=_entries("fd"),
        tasks=len(asyncio.all_tasks()),
    )


def _entries(what: str) -> int:
    return sum(1 for _ in Path("/proc/self", what).iterdir())


@dataclass(kw_only=True)
class Observed:
    """Such a process, seen from the one that started it."""

    process: asyncio.subprocess.Process
    address: str

    async def figures(self) -> Figures:
        """Asks for its figures; raises `ConnectionError` where it does not answer any more."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"figures\n")
        await self.process.stdin.drain()
        async with asyncio.timeout(30):
            line = await self.process.stdout.readline()
        if not line:
            raise ConnectionError(f"it has ended with {await self.process.wait()}")
        return Figures(**json.loads(line))

    async def stop(self) -> int:
        """Ends it gracefully, and returns its exit status."""
        if self.process.returncode is None:
            assert self.process.stdin is not None
            self.process.stdin.close()
        try:
            async with asyncio.timeout(30):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


async def spawn(variables: Mapping[str, str]) -> Observed:
    """Starts one with these variables of the launch contract; returns once it is ready."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("COLLECTOR_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        env={**clean, **variables},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = (await process.stdout.readline()).decode()
    if not line:
        raise ConnectionError(f"it did not start, and ended with {await process.wait()}")
    return Observed(process=process, address=line.split()[-1])


async def main() -> int:
    """Serves until standard input ends."""
    collector = Collector(CollectorSettings.from_environment(os.environ))
    await collector.start()
    print(f"collector listening on {collector.address}", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        figures = own_figures()
        written = {name: getattr(figures, name) for name in Figures.__slots__}
        print(json.dumps(written), flush=True)
    await collector.stop()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
