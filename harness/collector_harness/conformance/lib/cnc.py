"""What is safe under traffic, as far as only the Python API brings it about."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from datetime import timedelta

from collector_harness.client import NodeClient, Reply
from collector_harness.conformance.lib.checks import Bench, Refuted, library_check
from collector_harness.topology.values import Node, Topology
from collector_reference.errors import NotRegistered

_PROBE = "conformance.Probe"
_CALLERS = 8
_SWAPS = 60
_IN_FLIGHT = 0.5
"""Seconds that the calls take which the end of the collector finds in flight."""
_GRACE = timedelta(seconds=5)


class _Judge:
    """A validator that lets everything pass, or nothing, and that takes its turn to say so."""

    def __init__(self, *, lenient: bool) -> None:
        self.lenient = lenient

    async def validate_service_method(
        self,
        namespace: str,
        service: str,
        method: str,
        *,
        time_left: timedelta | None = None,  # noqa: ARG002 - part of the interface
    ) -> None:
        await asyncio.sleep(0)
        if not self.lenient:
            raise NotRegistered(f"{namespace}/{service}.{method}")


async def _calls(client: NodeClient, caller: int, ended: Callable[[], bool]) -> list[Reply]:
    """Calls until it is the end, and checks of each answer that it is this call's."""
    replies: list[Reply] = []
    for number in itertools.count():
        if ended():
            return replies
        sent = f"{caller}/{number}"
        reply = await client.serve("shop", _PROBE, "Echo", sent)
        if reply.status == "OK" and reply.output != sent:
            raise Refuted(f"the call that sent {sent!r} was answered {reply.output!r}")
        replies.append(reply)
    return replies


@library_check(
    "CNC-003",
    title="validators are put in and taken out while calls are made",
    by_hand="""
async def calls():
    while True:
        await serve("WhoAmI")
traffic = [asyncio.ensure_future(calls()) for _ in range(8)]
judged = []
for turn in range(60):
    collector.set_registry_validator(Refusing() if turn % 2 else None)
    judged.append((await serve("WhoAmI")).status.code)
show("calls after each change", judged, [200, 404] * 30)
for each in traffic:
    each.cancel()
""",
)
async def validators_under_traffic(bench: Bench) -> None:
    node = Node(name="hub", namespaces=("shop",), probe=("shop",))
    async with bench.mesh(Topology(nodes=(node,))) as mesh:
        collector, client = mesh["hub"].collector, mesh["hub"].client
        assert collector is not None
        swapped = False
        async with asyncio.TaskGroup() as group:
            callers = [
                group.create_task(_calls(client, number, lambda: swapped))
                for number in range(_CALLERS)
            ]
            judges = itertools.cycle([None, _Judge(lenient=True), _Judge(lenient=False)])
            for judge in itertools.islice(judges, _SWAPS):
                collector.set_registry_validator(judge)
                # A call that begins now is judged by this one: the next comes after it.
                reply = await client.serve("shop", _PROBE, "Echo", "between")
                refused = judge is not None and not judge.lenient
                bench.expect(
                    "a call that begins after a validator was put in is judged by it",
                    {"status": reply.status},
                    {"status": "NOT_FOUND" if refused else "OK"},
                )
            swapped = True
        statuses = {reply.status for task in callers for reply in task.result()}
        bench.expect(
            "every call meanwhile is answered, by one validator or the other",
            {"statuses": sorted(statuses - {"OK", "NOT_FOUND"})},
            {"statuses": {"$exact": []}},
        )
        collector.set_registry_validator(None)
        last = await client.serve("shop", _PROBE, "Echo", "last")
        bench.expect("it serves as before", {"status": last.status}, {"status": "OK"})


@library_check(
    "CNC-003",
    title="it shuts down while calls are made, and loses none in flight",
    by_hand="""
half = Any()
half.Pack(Duration(nanos=500_000_000))
calls = [asyncio.ensure_future(serve("Sleep", half)) for _ in range(8)]
while collector.statistics().executions.get("shop/conformance.Probe/Sleep", 0) < 8:
    await serve("WhoAmI")
await collector.stop(timedelta(seconds=5))
answers = await asyncio.gather(*calls, return_exceptions=True)
ends = [repr(each) if isinstance(each, Exception) else each.status.code for each in answers]
show("calls in flight at the end", ends, [200] * 8)
""",
)
async def ending_under_traffic(bench: Bench) -> None:
    node = Node(name="hub", namespaces=("shop",), probe=("shop",))
    async with bench.mesh(Topology(nodes=(node,))) as mesh:
        collector, client = mesh["hub"].collector, mesh["hub"].client
        assert collector is not None
        loop = asyncio.get_running_loop()
        ended = False
        async with asyncio.TaskGroup() as group:
            sleep = {
                "@type": "type.googleapis.com/google.protobuf.Duration",
                "value": f"{_IN_FLIGHT}s",
            }
            in_flight = [
                group.create_task(client.serve("shop", _PROBE, "Sleep", sleep))
                for _ in range(_CALLERS)
            ]
            callers = [
                group.create_task(_calls(client, number, lambda: ended))
                for number in range(_CALLERS)
            ]
            # Each call is a round trip: the others are given their turn by it.
            while collector.statistics().executions.get(f"shop/{_PROBE}/Sleep", 0) < _CALLERS:
                await client.serve("shop", _PROBE, "WhoAmI")
            begun = loop.time()
            collector.set_registry_validator(None)
            await collector.stop(_GRACE)
            seconds = loop.time() - begun
            ended = True
        bench.expect(
            "calls in flight end as they would have",
            {"statuses": sorted({task.result().status for task in in_flight})},
            {"statuses": {"$exact": ["OK"]}},
        )
        statuses = {reply.status for task in callers for reply in task.result()}
        bench.expect(
            "others are answered, or refused with UNAVAILABLE, or cut off",
            {"statuses": sorted(statuses - {"OK", "UNAVAILABLE", "CANCELLED"})},
            {"statuses": {"$exact": []}},
        )
        bench.expect(
            "it has ended within its grace",
            {"seconds": seconds},
            {"seconds": {"$lt": _GRACE.total_seconds() + 1}},
        )
