"""Sends a collector what nobody should send, and looks whether it lives, answers and stays small.

``fuzz.py [--seconds 600] [--seed N]``. Ends with 1 when the collector has ended, when the call
after an attack is not answered, or when its memory, threads, descriptors or tasks have grown by
more than is stated here. The attacks are in `fuzz_attacks`.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import Counter

import grpc
import grpc.aio
from fuzz_attacks import ATTACKS, Target
from fuzz_collector import Figures, Observed, spawn

from collector_reference.wire.common_pb2 import ServiceTypeRef
from collector_reference.wire.dispatcher_pb2 import ServeRequest, ServeResponse
from collector_reference.wire.dispatcher_pb2_grpc import CollectiveDispatcherStub

MORE_MEBIBYTES = 48
"""How much its memory may grow after the warm-up: what registrations, which it has to keep, and the
allocator's habits take."""
MORE_OTHERS = 8
"""How many threads, descriptors or tasks more there may be: those of the last connections."""
PATIENCE = 60
"""Seconds that its own registry may take: that a machine is busy is not its fault."""
WARM_UP = 3
"""Rounds of all attacks, at least, before the first figures are taken."""
WARM_UP_PART = 1 / 3
"""The part of the time that this takes, at least: what is bounded has to be full by then, and an
allocator to have seen the largest of everything."""


class Broken(Exception):
    """The collector did not stand it."""


async def next_call_works(address: str, channel: grpc.aio.Channel, after: str) -> None:
    """Calls on the channel that was there before, and on a new one; raises `Broken`."""
    request = ServeRequest(
        namespace="shop", service=ServiceTypeRef(service_name="conformance.Probe")
    )
    request.method_name = "WhoAmI"
    fresh = grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
    try:
        for name, each in (("the old", channel), ("a new", fresh)):
            try:
                reply: ServeResponse = await CollectiveDispatcherStub(each).Serve(
                    request, timeout=PATIENCE + 30, wait_for_ready=True
                )
            except grpc.aio.AioRpcError as error:
                said = f"{error.code()}: {error.details()}"
                raise Broken(f"after '{after}', {name} channel's call failed: {said}") from error
            if reply.status.code != 200 or reply.executor_id != "hub":
                raise Broken(f"after '{after}', a call was answered {reply}")
    finally:
        await fresh.close()


async def settled(figures: Figures, collector: Observed, first: Figures) -> Figures:
    """Gives connections that have just ended 10 s to be cleared away."""
    until = time.monotonic() + 10
    while (
        figures.over(first, mebibytes=MORE_MEBIBYTES, others=MORE_OTHERS)
        and time.monotonic() < until
    ):
        await asyncio.sleep(0.25)
        figures = await collector.figures()
    return figures


async def fuzz(seconds: float, seed: int) -> int:
    """Returns the exit status."""
    dice = random.Random(seed)
    print(f"seed {seed}", flush=True)
    collector = await spawn(
        {
            "COLLECTOR_ID": "hub",
            "COLLECTOR_NAMESPACES": "shop",
            "COLLECTOR_PROBE": "shop",
            "COLLECTOR_MAX_CONNECTIONS": "16",
            "COLLECTOR_CONNECT_LIMIT": str(PATIENCE),
        }
    )
    channel = grpc.aio.insecure_channel(
        collector.address,
        [("grpc.use_local_subchannel_pool", 1), ("grpc.max_metadata_size", 1 << 20)],
    )
    target = Target(address=collector.address, channel=channel, dice=dice)
    counts: Counter[str] = Counter()
    first: Figures | None = None
    begun, rounds = time.monotonic(), 0
    try:
        while first is None or time.monotonic() - begun < seconds:
            for attack in dice.sample(ATTACKS, len(ATTACKS)):
                name = (attack.__doc__ or attack.__name__).splitlines()[0].rstrip(".")
                async with asyncio.timeout(120):
                    counts[name] += await attack(target)
                await next_call_works(collector.address, channel, name)
            rounds += 1
            warm = time.monotonic() - begun >= seconds * WARM_UP_PART
            if first is None and rounds >= WARM_UP and warm:
                first = await collector.figures()
        last = await settled(await collector.figures(), collector, first)
        print(f"{rounds} rounds in {time.monotonic() - begun:.1f} s")
        for name, count in sorted(counts.items()):
            print(f"  {count:8} {name}")
        print(f"after the warm-up: {first}\nat the end:        {last}")
        if over := last.over(first, mebibytes=MORE_MEBIBYTES, others=MORE_OTHERS):
            raise Broken(f"it has grown: {', '.join(over)}")
        await channel.close()
        if status := await collector.stop():
            raise Broken(f"it ended with {status}")
    except (Broken, ConnectionError, TimeoutError) as error:
        print(f"BROKEN in round {rounds}, seed {seed}: {type(error).__name__}: {error}")
        return 1
    finally:
        await channel.close()
        if collector.process.returncode is None:
            collector.process.kill()
            await collector.process.wait()
    return 0


def main(arguments: list[str]) -> int:
    """Reads the arguments and fuzzes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    return asyncio.run(fuzz(options.seconds, seed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
