"""Puts load on meshes while everything breaks, and looks whether what they hold grows.

``soak.py [--minutes 10] [--seed N]``. One mesh of processes and one in this process are called
without a pause; collectors are killed, parted, reset and slowed. Before and after, when all is
healed, memory, threads, descriptors and tasks are told; ends with 1 where they have grown by more
than is stated here, or a call had an answer that no fault explains.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from fuzz_collector import Figures, own_figures

from collector_harness.faults.plan import FaultPlan
from collector_harness.faults.values import Disturb, Fault, Kill, Partition
from collector_harness.mesh import Mesh
from collector_harness.targets import Reference, Target, parse_target
from collector_harness.topology.values import Link, Node, Topology

HERE_MEBIBYTES, HUB_MEBIBYTES = 40, 24
"""How much more memory there may be after the warm-up: in this process, which keeps what it tells
of four collectors and all faults, and in the process that is called."""
MORE_OTHERS = 12
"""How many threads, descriptors or tasks more there may be."""
STREAMS = 4
DEADLINE = 3.0
EXPLAINED = {"OK", "UNAVAILABLE", "DEADLINE_EXCEEDED", "NOT_FOUND"}
"""What calls may come to. NOT_FOUND: while nobody can be reached that serves the namespace."""
SERVING = ("a", "b", "c")


def topology() -> Topology:
    """Returns a hub that serves nothing, and three that do."""
    return Topology(
        nodes=(
            Node(name="hub", namespaces=("shop",)),
            *(Node(name=name, namespaces=("shop",), probe=("shop",)) for name in SERVING),
        ),
        links=tuple(Link(source=name, target="hub") for name in SERVING),
    )


@dataclass(kw_only=True)
class Soaked:
    """A mesh under load."""

    name: str
    mesh: Mesh
    dice: random.Random
    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    async def load(self, until: float) -> None:
        """Calls until that moment."""

        async def stream(number: int) -> None:
            client = self.mesh["hub"].client
            count = 0
            while time.monotonic() < until:
                count += 1
                sent = f"{number}/{count}" + "x" * self.dice.choice([0, 10, 20_000])
                reply = await client.dispatch(
                    "shop", "conformance.Probe", "Echo", sent, timeout=DEADLINE
                )
                self.statuses[reply.status] += 1
                if reply.status == "OK" and reply.output != sent:
                    self.statuses["another call's answer"] += 1

        await asyncio.gather(*(stream(number) for number in range(STREAMS)))

    def _fault(self, kind: str, node: str) -> Fault:
        match kind:
            case "kill":
                return Kill(node=node)
            case "partition":
                return Partition(groups=(("hub",), (node,)))
            case "latency":
                late, more = timedelta(milliseconds=20), timedelta(milliseconds=10)
                return Disturb(kind="latency", place=(node, "hub"), delay=late, jitter=more)
            case _:
                return Disturb(kind="reset", place=(node, "hub"))

    async def break_things(self, until: float) -> None:
        """Breaks one thing after the other, each kind as often, until that moment."""
        while time.monotonic() < until:
            for kind in self.dice.sample(["kill", "partition", "latency", "reset"], 4):
                async with self.mesh.fault(self._fault(kind, self.dice.choice(SERVING))):
                    # How long it lasts, not how long something is waited for.
                    await asyncio.sleep(self.dice.uniform(0.05, 0.6))
                self.faults[kind] += 1
                if time.monotonic() > until:
                    return

    async def quiet(self) -> None:
        """Returns when all of them answer through the hub, each asked as a target."""
        client = self.mesh["hub"].client
        async with asyncio.timeout(60):
            for name in SERVING:
                while True:
                    reply = await client.dispatch(
                        "shop", "conformance.Probe", "WhoAmI", target=name, timeout=DEADLINE
                    )
                    if reply.status == "OK":
                        break
                    await asyncio.sleep(0.1)


def figures_of(process: int) -> Figures:
    """Returns the figures of another process, whose tasks nobody sees."""
    folder = Path("/proc") / str(process)
    told = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    return Figures(
        rss=int(told["VmRSS"].split()[0]),
        threads=int(told["Threads"]),
        descriptors=sum(1 for _ in (folder / "fd").iterdir()),
        tasks=0,
    )


async def soak(seconds: float, seed: int) -> int:
    """Returns the exit status."""
    print(f"seed {seed}", flush=True)
    processes = parse_target("exec:{executable} -m collector_reference")
    targets: dict[str, Target] = {"processes": processes, "in process": Reference()}
    wanted = topology()
    soaked = [
        Soaked(
            name=name,
            mesh=Mesh(wanted, target=target, plan=FaultPlan.everything(wanted), seed=seed),
            dice=random.Random(f"{seed}/{name}"),
        )
        for name, target in targets.items()
    ]
    broken: list[str] = []
    try:
        await asyncio.gather(*(each.mesh.start() for each in soaked))
        # Only what is launched as a process has one, and this mesh is.
        hub: int = getattr(soaked[0].mesh["hub"].running, "pid")  # noqa: B009

        async def endure(span: float) -> tuple[Figures, Figures]:
            until = time.monotonic() + span
            await asyncio.gather(
                *(each.load(until) for each in soaked),
                *(each.break_things(until) for each in soaked),
            )
            await asyncio.gather(*(each.quiet() for each in soaked))
            return own_figures(), figures_of(hub)

        # What is allocated once is allocated now.
        here, there = await endure(max(3.0, seconds / 5))
        last_here, last_there = await endure(seconds)
        for name, first, last, mebibytes in (
            ("this process", here, last_here, HERE_MEBIBYTES),
            ("the hub's process", there, last_there, HUB_MEBIBYTES),
        ):
            print(f"{name} after the warm-up: {first}")
            print(f"{name} at the end:        {last}")
            over = last.over(first, mebibytes=mebibytes, others=MORE_OTHERS)
            broken += [f"{name} holds {each}" for each in over]
    finally:
        await asyncio.gather(*(each.mesh.stop() for each in soaked))
    for each in soaked:
        print(f"{each.name}: {dict(each.statuses)}; faults {dict(each.faults)}")
        broken += [
            f"{count} calls came to {status} ({each.name})"
            for status, count in each.statuses.items()
            if status not in EXPLAINED
        ]
        if not each.statuses["OK"] or not all(each.faults.values()):
            broken.append(f"nothing was proven ({each.name})")
    for line in broken:
        print(f"BROKEN, seed {seed}: {line}")
    return 1 if broken else 0


def main(arguments: list[str]) -> int:
    """Reads the arguments and soaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    return asyncio.run(soak(options.minutes * 60, seed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
