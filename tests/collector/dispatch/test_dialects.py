from __future__ import annotations

import pytest

from collector_reference import Dialect
from collector_reference.dispatch.dialects import split_dialect
from collector_reference.wire.dispatcher_pb2 import ConnectRequest

REQUEST = ConnectRequest(collector_id="east", address="h:1", namespaces=["a", "b"])

# 1 address, 2 namespaces, 3 metadata, by hand.
ACCRETIONAL = b"\x0a\x03h:1\x12\x01a\x12\x01b\x1a\x14\x0a\x0ccollector_id\x12\x04east"


def test_the_native_dialect_is_the_contracts_own():
    """WIR-002"""
    assert Dialect.NATIVE.write(REQUEST) == REQUEST.SerializeToString()
    assert Dialect.NATIVE.read(REQUEST.SerializeToString()) == REQUEST


def test_the_public_go_collectors_dialect_is_written_and_read():
    """WIR-002, CON-007"""
    assert Dialect.ACCRETIONAL.write(REQUEST) == ACCRETIONAL
    assert Dialect.ACCRETIONAL.read(ACCRETIONAL) == REQUEST
    assert Dialect.ACCRETIONAL.read(b"\x0a\x03h:1") == ConnectRequest(address="h:1")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("accretional+h:1", (Dialect.ACCRETIONAL, "h:1")),
        ("native+h:1", (Dialect.NATIVE, "h:1")),
        ("h:1", (None, "h:1")),
        ("other+h:1", (None, "other+h:1")),
    ],
)
def test_a_marked_address_is_split(text, parts):
    assert split_dialect(text) == parts


async def test_collectors_of_the_other_dialect_connect_both_ways(field):
    """CON-006, CON-007"""
    west = await field.collector("west", namespaces=("users",), dialect=Dialect.ACCRETIONAL)
    east = await field.collector("east", namespaces=("users",), dialect=Dialect.ACCRETIONAL)
    reply = await west.connect_to(east.address)
    assert (reply.target_collector_id, list(reply.shared_namespaces)) == ("east", ["users"])
    assert [connection.collector_id for connection in east.connections()] == ["west"]
    assert [connection.address for connection in east.connections()] == [west.address]


async def test_a_single_peer_is_marked_in_its_address(field):
    other = await field.collector("other", namespaces=("users",), dialect=Dialect.ACCRETIONAL)
    like = await field.collector("like", namespaces=("users",))
    collector = await field.collector(
        "west", namespaces=("users",), connect=(f"accretional+{other.address}", like.address)
    )
    await field.until(lambda: len(collector.connections()) == 2)
    for peer in (other, like):
        assert [connection.collector_id for connection in peer.connections()] == ["west"]


@pytest.mark.parametrize("changing", ["west", "east"])
async def test_changes_are_told_in_the_declared_dialect(field, changing):
    """CON-007: also to a peer that asked for the connection itself."""
    made = {
        name: await field.collector(
            name, namespaces=("users", "orders"), dialect=Dialect.ACCRETIONAL, probe=("users",)
        )
        for name in ("west", "east")
    }
    await made["west"].connect_to(made["east"].address)
    await made[changing].remove_namespaces("orders")
    for collector in made.values():
        assert [each.shared_namespaces for each in collector.connections()] == [("users",)]
        assert len(collector.connections()) == 1


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_calls_cross_a_connection_both_ways_in_either_dialect(field, dialect):
    """CON-006, CON-007"""
    west = await field.collector("west", namespaces=("users",), probe=("users",), dialect=dialect)
    east = await field.collector("east", namespaces=("users",), probe=("users",), dialect=dialect)
    await west.connect_to(east.address)
    for via, target in ((west, "east"), (east, "west")):
        reply = await field.caller(via.address).dispatch(
            "users", "conformance.Probe", "WhoAmI", target=target
        )
        assert (reply.status.code, reply.handled_by_collector_id) == (200, target)


async def test_a_marked_peer_hears_of_changes_and_of_restarts_in_its_dialect(field):
    """CON-014"""
    west = await field.collector("west", namespaces=("users",))
    east = field.unstarted("east", namespaces=("users", "orders"), dialect=Dialect.ACCRETIONAL)
    await east.start()
    await west.connect_to(east.address, dialect=Dialect.ACCRETIONAL)
    await west.add_namespaces("orders")
    assert east.connections()[0].shared_namespaces == ("users", "orders")
    await east.kill()
    again = await field.collector(
        "east", listen=east.address, namespaces=("orders",), dialect=Dialect.ACCRETIONAL
    )
    await field.until(lambda: bool(again.connections()))
    assert again.connections()[0].collector_id == "west"
    assert again.connections()[0].shared_namespaces == ("orders",)


async def test_an_undeclared_dialect_is_not_guessed(field):
    """WIR-002"""
    native = await field.collector("native", namespaces=("users",))
    collector = await field.collector(
        "west", namespaces=("users",), dialect=Dialect.ACCRETIONAL, connect=(native.address,)
    )
    caller = field.caller(native.address)
    raw = caller.channel.unary_unary("/collector.CollectiveDispatcher/Connect")
    reply = await raw(ACCRETIONAL)
    # Read natively, the address stands where the id should be.
    assert b"neither host:port" in reply
    assert collector.connections() == native.connections() == ()
