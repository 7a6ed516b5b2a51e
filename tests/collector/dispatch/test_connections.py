"""Connecting, over real ports: what is answered, what is kept, and what comes back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest

from collector_reference import Connection, PeerRefused, PeerUnreachable
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ConnectResponse

OK = Status(code=Status.HTTP_OK, message="OK")


async def test_a_peer_is_answered_with_what_both_share(field):
    """CON-001, CON-002, CON-003"""
    collector = await field.collector(namespaces=("users", "orders", "billing"))
    caller = field.caller(collector.address)
    peer = await field.peer("east")
    namespaces = ("orders", "stock", "users", "orders")
    first = await caller.connect("east", peer.address, namespaces)
    second = await caller.connect("east", peer.address, ("stock",))
    assert first == ConnectResponse(
        status=OK,
        connection_id=first.connection_id,
        shared_namespaces=["orders", "users"],
        target_collector_id="west",
    )
    assert second == ConnectResponse(
        status=OK, connection_id=second.connection_id, target_collector_id="west"
    )
    assert len({"", first.connection_id, second.connection_id}) == 3


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "address is required"),
        ("nowhere", "address 'nowhere' is neither host:port nor a gRPC target"),
        ("127.0.0.1:0", "address '127.0.0.1:0' is neither host:port nor a gRPC target"),
    ],
)
async def test_an_address_that_cannot_be_dialled_is_refused_and_not_kept(field, address, message):
    """CON-004, CON-009"""
    collector = await field.collector(namespaces=("users",))
    reply = await field.caller(collector.address).connect("east", address, ("users",))
    assert reply == ConnectResponse(status=Status(code=400, message=message))
    assert collector.connections() == ()


async def test_both_sides_of_a_connection_know_each_other(field):
    """CON-006, CON-007"""
    west = await field.collector("west", namespaces=("users", "orders"))
    east = await field.collector("east", namespaces=("orders", "stock"))
    reply = await west.connect_to(east.address)
    await field.until(lambda: east.connections()[0].established)

    def connection(collector_id: str, address: str) -> Connection:
        return Connection(
            connection_id=reply.connection_id,
            collector_id=collector_id,
            address=address,
            shared_namespaces=("orders",),
            established=True,
        )

    assert west.connections() == (connection("east", east.address),)
    assert east.connections() == (connection("west", west.address),)


async def test_a_collector_announces_the_namespaces_that_it_is_told_to(field):
    west = await field.collector("west", namespaces=("users", "orders"))
    east = await field.collector("east", namespaces=("users", "orders"))
    reply = await west.connect_to(east.address, ["orders"])
    assert list(reply.shared_namespaces) == ["orders"]
    assert west.connections()[0].shared_namespaces == ("orders",)


async def test_the_advertised_address_is_the_one_that_peers_dial(field):
    """OPS-004"""
    peer = await field.peer("east")
    collector = await field.collector(advertise="west.example:4000", connect=(peer.address,))
    await field.until(lambda: bool(collector.connections()))
    assert [request.address for request in peer.asked] == ["west.example:4000"]


async def test_connecting_to_oneself_changes_nothing(field):
    """CON-010"""
    collector = await field.collector(namespaces=("users",))
    reply = await collector.connect_to(collector.address)
    assert (reply.status, reply.target_collector_id) == (OK, "west")
    nameless = await field.caller(collector.address).connect("", collector.address, ("users",))
    assert nameless.status == OK
    assert collector.connections() == ()


async def test_peers_without_an_id_are_kept_apart_and_have_no_reserved_one(field):
    """CON-008"""
    collector = await field.collector(namespaces=("users",))
    caller = field.caller(collector.address)
    peers = [await field.peer(""), await field.peer("")]
    for peer in peers:
        await caller.connect("", peer.address, ("users",))
    assert [
        (connection.collector_id, connection.address) for connection in collector.connections()
    ] == [("", peer.address) for peer in peers]
    for reserved in ("address", "id", "unknown", peers[0].address):
        reply = await caller.dispatch("users", "S", "M", target=reserved)
        assert reply.status.code == 404
    for _ in range(4):
        assert (await caller.dispatch("users", "S", "M")).status == OK
    assert all(peer.served for peer in peers)


async def test_parallel_connects_get_as_many_ids(field):
    """CNC-002"""
    collector = await field.collector()
    caller = field.caller(collector.address)
    peer = await field.peer("east")
    replies = await asyncio.gather(*(caller.connect("east", peer.address) for _ in range(20)))
    assert len({reply.connection_id for reply in replies}) == 20
    assert len(collector.connections()) == 1


async def test_the_newer_address_of_an_id_is_used_and_only_that(field):
    """CON-013"""
    collector = await field.collector(namespaces=("users",))
    caller = field.caller(collector.address)
    old, new = await field.peer("east"), await field.peer("east")
    await caller.connect("east", old.address, ("users",))
    await caller.connect("east", new.address, ("users",))
    for target in ("east", "", "east", ""):
        assert (await caller.dispatch("users", "S", "M", target=target)).status == OK
    assert (len(old.served), len(new.served)) == (0, 4)


async def test_a_peer_that_answers_without_status_or_refuses_is_not_kept(field):
    """CON-011, CON-012"""
    collector = await field.collector(namespaces=("users",))
    good, mute, full = [await field.peer(name) for name in ("good", "mute", "full")]
    await collector.connect_to(good.address)

    async def without_status(request, context):
        return ConnectResponse(connection_id="played", target_collector_id="good")

    async def too_many(request, context):
        return ConnectResponse(status=Status(code=429, message="enough"))

    mute.on_connect, full.on_connect = without_status, too_many
    with pytest.raises(PeerRefused) as caught:
        await collector.connect_to(mute.address)
    assert (caught.value.address, caught.value.code) == (mute.address, None)
    with pytest.raises(PeerRefused, match="429 enough") as caught:
        await collector.connect_to(full.address)
    assert caught.value.code == 429
    assert [connection.collector_id for connection in collector.connections()] == ["good"]


async def test_a_clashing_connection_id_harms_no_other_connection(field):
    """CON-012"""
    collector = await field.collector(namespaces=("users",))
    peers = [await field.peer(name) for name in ("a", "b")]
    for peer in peers:
        assert (await collector.connect_to(peer.address)).connection_id == "played"
    caller = field.caller(collector.address)
    for peer in peers:
        reply = await caller.dispatch("users", "S", "M", target=peer.collector_id)
        assert reply.handled_by_collector_id == peer.collector_id
    assert [len(peer.served) for peer in peers] == [1, 1]


async def test_nobody_at_the_address_is_told(field, closed_port):
    collector = await field.collector()
    with pytest.raises(PeerUnreachable) as caught:
        await collector.connect_to(closed_port["address"])
    assert caught.value.address == closed_port["address"]
    assert collector.connections() == ()


async def test_a_peer_that_never_answers_is_given_up_within_the_limit(field, brief):
    collector = await field.collector(connect_limit=brief)

    over, ended = asyncio.Event(), asyncio.Event()

    async def accept_and_be_silent(reader, writer):
        await over.wait()
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(accept_and_be_silent, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(5):
            with pytest.raises(PeerUnreachable, match=r"no connection in 0\.3 s"):
                await collector.connect_to(address)
        over.set()
        await ended.wait()
    assert collector.connections() == ()


async def test_an_address_is_tried_until_somebody_answers_there(field, free_port):
    """CON-011"""
    collector = await field.collector(namespaces=("users",), connect=(free_port["address"],))
    caller = field.caller(collector.address)
    assert (await caller.dispatch("users", "S", "M")).status.code == 404
    assert collector.connections() == ()
    await field.peer("east", port=int(free_port["address"].rpartition(":")[2]))
    await field.until(lambda: bool(collector.connections()))
    reply = await caller.dispatch("users", "S", "M")
    assert (reply.status, reply.handled_by_collector_id) == (OK, "east")


async def test_a_restarted_peer_is_usable_both_ways_without_a_new_connect(field):
    """CON-014"""
    west = await field.collector("west", namespaces=("users",), probe=("users",))
    east = field.unstarted("east", namespaces=("users",), probe=("users",))
    await east.start()
    address = east.address
    await west.connect_to(address)
    await east.kill()
    await field.until(lambda: not west.connections()[0].established)
    again = await field.collector("east", listen=address, namespaces=("users",), probe=("users",))
    caller = field.caller(west.address)

    async def east_answers() -> bool:
        reply = await caller.dispatch("users", "conformance.Probe", "WhoAmI", target="east")
        return reply.status.code == 200

    await field.eventually(east_answers)
    # It knows nothing of its life before; the other side has told it.
    await field.until(lambda: bool(again.connections()))
    reply = await field.caller(address).dispatch(
        "users", "conformance.Probe", "WhoAmI", target="west"
    )
    assert (reply.status, reply.handled_by_collector_id) == (OK, "west")


async def test_another_collector_at_the_address_takes_the_place(field):
    west = await field.collector("west", namespaces=("users",))
    east = field.unstarted("east", namespaces=("users",))
    await east.start()
    await west.connect_to(east.address)
    await east.kill()
    await field.collector("north", listen=east.address, namespaces=("users",))
    await field.until(
        lambda: [connection.collector_id for connection in west.connections()] == ["north"]
    )


async def test_a_full_table_refuses_and_evicts_only_the_dead(field, closed_port):
    """SEC-003"""
    collector = await field.collector(namespaces=("users",), max_connections=2)
    caller = field.caller(collector.address)
    live = await field.peer("live")
    await caller.connect("live", live.address, ("users",))
    await caller.connect("dead", closed_port["address"], ("users",))
    more = [await field.peer("third"), await field.peer("fourth")]

    async def third_fits() -> bool:
        return (await caller.connect("third", more[0].address, ("users",))).status == OK

    await field.eventually(third_fits)
    assert {connection.collector_id for connection in collector.connections()} == {"live", "third"}
    reply = await caller.connect("fourth", more[1].address, ("users",))
    assert reply == ConnectResponse(
        status=Status(code=429, message="the connection table holds its limit of 2")
    )
    for target in ("live", "third"):
        assert (await caller.dispatch("users", "S", "M", target=target)).status == OK
    assert (await caller.connect("live", live.address, ("users",))).status == OK


@pytest.mark.parametrize("part", ["id", "address", "namespaces"])
async def test_what_a_peer_tells_of_itself_is_bounded(field, part):
    """SEC-003: a full table of peers takes a bounded part of the memory."""
    collector = await field.collector("west", namespaces=("users",))
    caller = field.caller(collector.address)
    long = "n" * 65_536
    told = {
        "id": (long, "127.0.0.1:1", ()),
        "address": ("east", f"unix:/{long}", ()),
        "namespaces": ("east", "127.0.0.1:1", tuple(long[:64] for _ in range(1_024))),
    }[part]
    reply = await caller.connect(*told)
    assert reply.status.code == 400
    assert "more than 65536 characters" in reply.status.message
    assert collector.connections() == ()
    assert (
        await caller.connect("east", "127.0.0.1:1", ("users", long[:60_000]))
    ).status.code == 200


async def test_garbage_on_the_port_harms_nothing(field):
    """FLT-007"""
    collector = await field.collector(probe=("users",))
    host, _, port = collector.address.rpartition(":")
    for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 1000):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(garbage)
        await reader.read()
        writer.close()
        await writer.wait_closed()
    reply = await field.caller(collector.address).serve("users", "conformance.Probe", "WhoAmI")
    assert reply.status == OK


async def test_stopping_ends_the_attempts_to_connect(field, closed_port):
    collector = field.unstarted(connect=(closed_port["address"],))
    await collector.start()
    before = {task for task in asyncio.all_tasks() if "connect_until_done" in repr(task)}
    assert len(before) == 1
    await collector.stop(timedelta(0))
    assert all(task.done() for task in before)


async def test_a_refused_call_does_not_break_the_table(field):
    """WIR-005: unknown fields are tolerated."""
    collector = await field.collector(namespaces=("users",))
    caller = field.caller(collector.address)
    raw = caller.channel.unary_unary(
        "/collector.CollectiveDispatcher/Connect",
        response_deserializer=ConnectResponse.FromString,
    )
    peer = await field.peer("east")
    known = (
        b"\x0a\x04east\x12" + bytes([len(peer.address)]) + peer.address.encode() + b"\x1a\x05users"
    )
    reply = await raw(known + b"\xfa\x3f\x03abc")
    assert (reply.status, list(reply.shared_namespaces)) == (OK, ["users"])
    with pytest.raises(grpc.aio.AioRpcError):
        await raw(b"\xff")
    assert [connection.collector_id for connection in collector.connections()] == ["east"]
