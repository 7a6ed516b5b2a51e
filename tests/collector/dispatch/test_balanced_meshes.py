"""Balancing over real peers (DSP-015)."""

from __future__ import annotations

import asyncio
from collections import Counter

from collector_reference import Balancing, RoutingSettings
from collector_reference.wire.common_pb2 import ServiceTypeRef, Status
from collector_reference.wire.dispatcher_pb2 import DispatchRequest

PROBE = "conformance.Probe"
OK = Status(code=Status.HTTP_OK, message="OK")


def hinted(key: str, value: str) -> DispatchRequest:
    return DispatchRequest(
        namespace="users",
        service=ServiceTypeRef(service_name=PROBE),
        method_name="WhoAmI",
        routing_hints={key: value},
    )


async def mesh(field, balancing: Balancing, **routing):
    """Returns a caller of a hub with three collectors behind it, by their names."""
    hub = await field.collector(
        "hub", namespaces=("users",), routing=RoutingSettings(balancing=balancing, **routing)
    )
    leaves = {}
    for name in ("a", "b", "c"):
        leaves[name] = await field.collector(name, namespaces=("users",), probe=("users",))
        await hub.connect_to(leaves[name].address)
    return hub, leaves, field.caller(hub.address)


async def test_in_turn_each_gets_as_many_calls(field):
    _, _, caller = await mesh(field, Balancing.ROUND_ROBIN)
    replies = [await caller.dispatch("users", PROBE, "WhoAmI") for _ in range(30)]
    assert Counter(reply.handled_by_collector_id for reply in replies) == dict.fromkeys("abc", 10)


async def test_calls_avoid_who_has_calls_pending(field):
    hub = await field.collector(
        "hub",
        namespaces=("users",),
        routing=RoutingSettings(balancing=Balancing.LEAST_PENDING),
    )
    slow, quick = await field.peer("slow"), await field.peer("quick")
    entered, over = asyncio.Event(), asyncio.Event()

    async def wait(request, context):
        entered.set()
        await over.wait()
        return await slow.answer_ok(request, context)

    slow.on_serve = wait
    for peer in (slow, quick):
        await hub.connect_to(peer.address)
    caller = field.caller(hub.address)
    held = asyncio.ensure_future(caller.dispatch("users", "S", "M", target="slow"))
    await entered.wait()
    assert {each.collector_id: each.pending for each in hub.connections()} == {
        "slow": 1,
        "quick": 0,
    }
    for _ in range(10):
        assert (await caller.dispatch("users", "S", "M")).handled_by_collector_id == "quick"
    over.set()
    assert (await held).status == OK
    assert [each.pending for each in hub.connections()] == [0, 0]
    # Nobody has a call pending any more: they take turns.
    replies = [await caller.dispatch("users", "S", "M") for _ in range(10)]
    assert Counter(reply.handled_by_collector_id for reply in replies) == {"slow": 5, "quick": 5}


async def test_least_pending_gives_parallel_calls_to_all(field):
    _, _, caller = await mesh(field, Balancing.LEAST_PENDING)
    replies = await asyncio.gather(*(caller.dispatch("users", PROBE, "WhoAmI") for _ in range(60)))
    assert {reply.handled_by_collector_id for reply in replies} == set("abc")


async def test_a_hint_keeps_calls_at_one_peer_as_long_as_it_lives(field):
    hub, leaves, caller = await mesh(field, Balancing.RENDEZVOUS, hint="customer")

    async def handler_of(hint: str) -> str:
        reply = await caller.dispatcher.Dispatch(hinted("customer", hint))
        assert reply.status == OK
        return reply.handled_by_collector_id

    hints = [f"c{number}" for number in range(30)]
    before = {hint: await handler_of(hint) for hint in hints}
    assert set(before.values()) == set("abc")
    assert {hint: await handler_of(hint) for hint in hints} == before
    address = leaves["a"].address
    await leaves["a"].kill()
    await field.until(
        lambda: {each.collector_id for each in hub.connections() if each.established} == {"b", "c"}
    )
    now = {hint: await handler_of(hint) for hint in hints}
    assert {hint for hint in hints if now[hint] != before[hint]} == {
        hint for hint in hints if before[hint] == "a"
    }
    await field.collector("a", listen=address, namespaces=("users",), probe=("users",))
    await field.until(lambda: all(each.established for each in hub.connections()))
    assert {hint: await handler_of(hint) for hint in hints} == before


async def test_two_hubs_agree_about_a_hint(field):
    _, leaves, caller = await mesh(field, Balancing.RENDEZVOUS)
    other = await field.collector(
        "other", namespaces=("users",), routing=RoutingSettings(balancing=Balancing.RENDEZVOUS)
    )
    for name in ("c", "a", "b"):
        await other.connect_to(leaves[name].address)
    second = field.caller(other.address)
    for number in range(20):
        request = hinted("affinity", f"c{number}")
        first_reply, second_reply = [
            await each.dispatcher.Dispatch(request) for each in (caller, second)
        ]
        assert first_reply.handled_by_collector_id == second_reply.handled_by_collector_id


async def test_without_the_hint_calls_take_turns(field):
    _, _, caller = await mesh(field, Balancing.RENDEZVOUS)
    replies = [await caller.dispatch("users", PROBE, "WhoAmI") for _ in range(6)]
    replies += [await caller.dispatcher.Dispatch(hinted("other", "x")) for _ in range(6)]
    assert Counter(reply.handled_by_collector_id for reply in replies) == dict.fromkeys("abc", 4)
