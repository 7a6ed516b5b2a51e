"""Kills a collector during registrations again and again, and looks for what it had acknowledged.

``torture.py [--rounds 500] [--seed N] [--clients 8]``. Each round starts a real process on one
and the same file, checks through it what the rounds before had acknowledged, lets clients
register as fast as they can, and ends the process with SIGKILL at a random moment. Ends with 1
when an acknowledged registration is gone, or one is there in part.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from collector_reference.registry.sqlite import SqliteStore
from collector_reference.wire.registry_pb2 import (
    LookupServiceRequest,
    RegisteredService,
    RegisterServiceRequest,
)
from collector_reference.wire.registry_pb2_grpc import CollectorRegistryStub

if TYPE_CHECKING:
    from collector_reference.wire.registry_pb2_grpc import CollectorRegistryAsyncStub

NAMESPACE = "torture"
READY_SECONDS = 60
LONGEST_LIFE = 0.4
"""Seconds from the first acknowledgement to the kill, at the most."""
LOOKED_AT = 200
"""How many of the older acknowledged services each round looks up; the end looks at all."""


class Broken(Exception):
    """A promise was not kept."""


@dataclass
class Counts:
    """What all rounds amount to."""

    acknowledged: list[str] = field(default_factory=list)
    in_doubt: set[str] = field(default_factory=set)
    """Sent, and cut off before the answer: there or not, but never in part."""
    killed_starting: int = 0
    looked_up: int = 0


def descriptor(name: str) -> ServiceDescriptorProto:
    """Returns the service that belongs to a name: the number in it tells how many methods."""
    service = ServiceDescriptorProto(name=name)
    for number in range(int(name.rpartition("-")[2])):
        service.method.add(name=f"Method{number}", input_type=f".{name}.Request{number}")
    return service


def check(record: RegisteredService) -> None:
    """Raises `Broken` for a record that is not whole."""
    expected = descriptor(record.service_name)
    names = [method.name for method in expected.method]
    if record.service_descriptor != expected or list(record.method_names) != names:
        raise Broken(f"'{record.service_name}' is there in part")


def names(round_number: int, dice: random.Random) -> Iterator[str]:
    """Yields new names; some services are many times as large as others."""
    number = 0
    while True:
        size = dice.choice((1, 3, 10, 200))
        yield f"R{round_number}-{number}-{size}"
        number += 1


async def launched(path: Path) -> asyncio.subprocess.Process:
    """Starts a collector on the file."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("COLLECTOR_")}
    with log_beside(path).open("wb") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "collector_reference",
            env=kept
            | {
                "COLLECTOR_ID": "victim",
                "COLLECTOR_LISTEN": "127.0.0.1:0",
                "COLLECTOR_REGISTRY": f"sqlite:{path}",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )


def log_beside(path: Path) -> Path:
    """Returns where the process that holds the file writes its log."""
    return path.with_suffix(".log")


async def one_round(number: int, path: Path, counts: Counts, options: argparse.Namespace) -> None:
    """Starts, checks, registers and kills once."""
    dice = random.Random(f"{options.seed}/{number}")
    process = await launched(path)
    assert process.stdout is not None
    try:
        if dice.random() < 0.1:
            # Also while it opens the file.
            await asyncio.sleep(dice.uniform(0, 0.6))
            counts.killed_starting += 1
            return
        async with asyncio.timeout(READY_SECONDS):
            line = (await process.stdout.readline()).decode()
        if not line:
            log = log_beside(path).read_text(errors="replace")
            raise Broken(f"round {number}: the collector did not start on its own file\n{log}")
        async with grpc.aio.insecure_channel(line.split()[-1]) as channel:
            stub = CollectorRegistryStub(channel)
            await look_up(stub, counts, dice)
            await register_until_killed(stub, process, names(number, dice), counts, options, dice)
    finally:
        if process.returncode is None:
            end(process)
        await process.wait()


def end(process: asyncio.subprocess.Process) -> None:
    """Kills it, but not by its own method, which may take its exit status before asyncio does."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


async def look_up(stub: CollectorRegistryAsyncStub, counts: Counts, dice: random.Random) -> None:
    """Raises `Broken` unless the newest that was acknowledged, and some of the rest, is there."""
    older, newest = counts.acknowledged[:-LOOKED_AT], counts.acknowledged[-LOOKED_AT:]
    for name in [*newest, *dice.sample(older, min(LOOKED_AT, len(older)))]:
        found = await stub.LookupService(
            LookupServiceRequest(namespace=NAMESPACE, service_name=name)
        )
        if found.status.code != 0:
            raise Broken(f"'{name}' was acknowledged, and is gone")
        check(found.service)
        counts.looked_up += 1


async def register_until_killed(
    stub: CollectorRegistryAsyncStub,
    process: asyncio.subprocess.Process,
    new: Iterator[str],
    counts: Counts,
    options: argparse.Namespace,
    dice: random.Random,
) -> None:
    """Registers with all clients at once; returns when the process is dead."""
    life = dice.uniform(0, LONGEST_LIFE)
    begun = asyncio.Event()

    async def client() -> None:
        for name in new:
            try:
                await stub.RegisterService(
                    RegisterServiceRequest(namespace=NAMESPACE, service_descriptor=descriptor(name))
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE or "store" in str(
                    error.details()
                ):
                    raise Broken(f"'{name}' got {error.code().name}: {error.details()}") from error
                counts.in_doubt.add(name)
                return
            counts.acknowledged.append(name)
            begun.set()

    async def kill() -> None:
        await begun.wait()
        await asyncio.sleep(life)
        end(process)

    async with asyncio.timeout(READY_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(kill())
        for _ in range(options.clients):
            group.create_task(client())


async def look_at_all(path: Path, counts: Counts) -> int:
    """Compares the whole file with what was told; returns how many of the doubtful are there."""
    store = SqliteStore(path)
    found = set()
    for record in store.services(NAMESPACE):
        check(record.message)
        found.add(record.service_name)
    await store.close()
    gone = set(counts.acknowledged) - found
    if gone:
        raise Broken(f"{len(gone)} acknowledged registrations are gone, such as '{min(gone)}'")
    unknown = found - set(counts.acknowledged) - counts.in_doubt
    if unknown:
        raise Broken(f"{len(unknown)} are there that nobody sent, such as '{min(unknown)}'")
    return len(found & counts.in_doubt)


async def torture(options: argparse.Namespace) -> None:
    """Runs all rounds on one file."""
    counts = Counts()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.db"
        for number in range(1, options.rounds + 1):
            await one_round(number, path, counts, options)
            if number % 25 == 0:
                print(
                    f"round {number} of {options.rounds}: {len(counts.acknowledged)} acknowledged, "
                    f"none lost",
                    flush=True,
                )
        kept = await look_at_all(path, counts)
    print(
        f"{options.rounds} rounds, {options.rounds} SIGKILLs ({counts.killed_starting} during the "
        f"start), {len(counts.acknowledged)} acknowledged registrations, 0 lost, 0 in part; "
        f"{counts.looked_up} looked up after a restart; of {len(counts.in_doubt)} cut off before "
        f"the answer {kept} were kept"
    )


def main() -> int:
    """Returns 0 when every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    status = 0
    try:
        asyncio.run(torture(options))
    except* Broken as broken:
        for error in broken.exceptions:
            print(f"broken: {error}", file=sys.stderr)
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
