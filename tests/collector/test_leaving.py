"""A graceful stop under traffic: no accepted call is lost, and peers go elsewhere (OPS-003)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from collector_reference.dispatch.peers import KEEPS
from collector_reference.wire.dispatcher_pb2 import ConnectRequest

PROBE = "conformance.Probe"


async def test_traffic_over_a_peer_that_stops_gracefully_meets_no_error(field):
    """OPS-003"""
    west = await field.collector("west", namespaces=("users",))
    peers = [
        await field.collector(name, namespaces=("users",), probe=("users",))
        for name in ("east", "south")
    ]
    for peer in peers:
        await west.connect_to(peer.address)
    caller = field.caller(west.address)
    answers: list[tuple[int, str]] = []
    done = asyncio.Event()

    async def stream() -> None:
        while not done.is_set():
            reply = await caller.dispatch("users", PROBE, "WhoAmI")
            answers.append((reply.status.code, reply.handled_by_collector_id))

    traffic = [asyncio.create_task(stream()) for _ in range(8)]
    await field.until(lambda: {"east", "south"} <= {who for _, who in answers})
    await peers[0].stop()
    after = len(answers)
    await field.until(lambda: len(answers) > after + 100)
    done.set()
    await asyncio.gather(*traffic)
    assert {code for code, _ in answers} == {200}
    assert {who for _, who in answers[after + 8 :]} == {"south"}
    ran = sum(sum(peer.statistics().executions.values()) for peer in peers)
    assert ran == len(answers)


async def test_a_call_in_flight_over_a_hop_ends_while_its_collector_stops(field):
    """OPS-003"""
    east = await field.collector("east", namespaces=("users",))
    west = await field.collector("west", namespaces=("users",))
    begun, release = asyncio.Event(), asyncio.Event()

    async def slow(_value, _context):
        begun.set()
        await release.wait()
        return "done"

    east.register_service("users", "S", "M", slow)
    await west.connect_to(east.address)
    call = asyncio.create_task(field.caller(west.address).dispatch("users", "S", "M"))
    await begun.wait()
    stopping = asyncio.create_task(east.stop())
    # The peer has heard of it while the call is still running.
    await field.until(lambda: west.connections()[0].shared_namespaces == ())
    refused = await field.caller(west.address).dispatch("users", "S", "M")
    assert refused.status.code == 404
    release.set()
    reply = await call
    assert (reply.status.code, reply.handled_by_collector_id) == (200, "east")
    await stopping


async def test_what_a_stopping_collector_refuses_is_taken_elsewhere(field):
    """A peer that was not told in time is not believed to have run what it refused."""
    west = await field.collector("west", namespaces=("users",))
    east = await field.collector(
        "east", namespaces=("users",), probe=("users",), refusal_window=timedelta(seconds=5)
    )
    await west.connect_to(east.address)
    east._guard.draining = True
    caller = field.caller(west.address)
    alone = await caller.dispatch("users", PROBE, "WhoAmI")
    assert alone.status.code == 404
    south = await field.collector("south", namespaces=("users",), probe=("users",))
    await west.connect_to(south.address)
    for _ in range(4):
        reply = await caller.dispatch("users", PROBE, "WhoAmI")
        assert (reply.status.code, reply.handled_by_collector_id) == (200, "south")


async def test_a_collector_that_comes_back_on_its_port_is_chosen_again(field):
    west = await field.collector("west", namespaces=("users",))
    east = await field.collector("east", namespaces=("users",), probe=("users",))
    address = east.address
    await west.connect_to(address)
    await east.stop()
    await field.collector("east", namespaces=("users",), probe=("users",), listen=address)
    caller = field.caller(west.address)

    async def answers() -> bool:
        return (await caller.dispatch("users", PROBE, "WhoAmI")).status.code == 200

    await field.eventually(answers)


@pytest.mark.parametrize("keeps", [True, False])
async def test_only_who_asks_again_is_told_that_nothing_is_shared(field, keeps):
    """CON-014: another stack may believe it for ever, and then not use who comes back."""
    west = await field.collector("west", namespaces=("users",))
    peer = await field.peer("east")
    await field.caller(west.address).dispatcher.Connect(
        ConnectRequest(collector_id="east", address=peer.address, namespaces=["users"]),
        metadata=(KEEPS,) if keeps else (),
    )
    await field.until(lambda: [each.established for each in west.connections()] == [True])
    await west.stop()
    assert [list(each.namespaces) for each in peer.asked] == ([[]] if keeps else [])


async def test_a_collector_says_that_it_asks_again(field):
    west = await field.collector("west", namespaces=("users",))
    east = await field.collector("east", namespaces=("users",))
    await west.connect_to(east.address)
    assert east._connections.by_id("west").keeps
    assert not west._connections.by_id("east").keeps


async def test_a_stop_that_is_given_up_or_fails_leaves_no_server(field, monkeypatch):
    """Whoever cancels it in the middle, and whatever part of it breaks, the port is closed."""
    hung_up, broken = await field.collector("hung-up"), await field.collector("broken")
    stopping = asyncio.create_task(hung_up.stop(timedelta(seconds=60)))
    await field.until(lambda: hung_up._guard.draining)
    stopping.cancel()
    assert isinstance((await asyncio.gather(stopping, return_exceptions=True))[0], BaseException)

    async def fail():
        raise RuntimeError("it cannot rest")

    monkeypatch.setattr(broken._wiring, "rest", fail)
    with pytest.raises(RuntimeError, match="it cannot rest"):
        await broken.kill()
    for collector in (hung_up, broken):
        host, _, port = collector.address.rpartition(":")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, int(port))
    monkeypatch.undo()
