"""Namespaces that change while collectors run: both sides of a connection know, and keep to it."""

from __future__ import annotations

import asyncio

import pytest

from collector_reference import SettingsError
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.dispatcher_pb2 import ConnectResponse

PROBE = "conformance.Probe"
OK = Status(code=Status.HTTP_OK, message="OK")
ALL = ("users", "orders", "stock")


def shared(collector, collector_id: str) -> tuple[str, ...]:
    return {
        connection.collector_id: connection.shared_namespaces
        for connection in collector.connections()
    }[collector_id]


async def pair(field, west_has: tuple[str, ...], east_has: tuple[str, ...]):
    """Returns two collectors, the first of which asked the second for the connection."""
    west = await field.collector("west", namespaces=west_has, probe=ALL)
    east = await field.collector("east", namespaces=east_has, probe=ALL)
    await west.connect_to(east.address)
    return west, east


async def status(field, via, namespace: str, target: str) -> int:
    reply = await field.caller(via.address).dispatch(namespace, PROBE, "WhoAmI", target=target)
    return reply.status.code


@pytest.mark.parametrize("changing", ["west", "east"])
async def test_a_namespace_that_is_added_is_shared_by_both(field, changing):
    has = {"west": ("users", "orders"), "east": ("users", "orders"), changing: ("users",)}
    west, east = await pair(field, has["west"], has["east"])
    assert (shared(west, "east"), shared(east, "west")) == (("users",), ("users",))
    changed = {"west": west, "east": east}[changing]
    await changed.add_namespaces("orders", "stock", "users")
    assert changed.namespaces == ("users", "orders", "stock")
    assert (shared(west, "east"), shared(east, "west")) == (("users", "orders"),) * 2
    assert await status(field, west, "orders", "east") == 200
    assert await status(field, east, "orders", "west") == 200
    assert (len(west.connections()), len(east.connections())) == (1, 1)


@pytest.mark.parametrize("changing", ["west", "east"])
async def test_a_namespace_that_is_removed_is_not_routed_in_any_more(field, changing):
    """ISO-002"""
    west, east = await pair(field, ("users", "orders"), ("users", "orders"))
    await {"west": west, "east": east}[changing].remove_namespaces("orders")
    assert (shared(west, "east"), shared(east, "west")) == (("users",), ("users",))
    for via, target in ((west, "east"), (east, "west")):
        assert await status(field, via, "orders", target) == 404
        assert await status(field, via, "users", target) == 200


async def test_all_may_go_and_the_connection_stays(field):
    """CON-002"""
    west, east = await pair(field, ("users",), ("users",))
    await west.set_namespaces(())
    assert (shared(west, "east"), shared(east, "west")) == ((), ())
    await west.set_namespaces(["users"])
    assert (shared(west, "east"), shared(east, "west")) == (("users",), ("users",))


async def test_new_peers_are_told_what_is_so_now(field):
    west, east = await pair(field, ("users",), ("users",))
    await west.set_namespaces(("stock", "orders"))
    north = await field.collector("north", namespaces=ALL)
    south = await field.collector("south", namespaces=ALL)
    await west.connect_to(north.address)
    await south.connect_to(west.address)
    assert shared(north, "west") == ("stock", "orders")
    assert set(shared(south, "west")) == {"stock", "orders"}
    assert shared(east, "west") == ()


async def test_a_peer_that_is_told_less_is_told_no_more(field):
    west = await field.collector("west", namespaces=("users", "orders"))
    east = await field.collector("east", namespaces=ALL)
    await west.connect_to(east.address, ["users"])
    await west.add_namespaces("stock")
    assert shared(east, "west") == ("users",)
    await west.remove_namespaces("users")
    assert shared(east, "west") == ()


async def test_parallel_changes_on_both_sides_end_in_what_both_have(field):
    west, east = await pair(field, ALL, ALL)
    for number in range(5):
        await asyncio.gather(
            *(west.set_namespaces(ALL[:count]) for count in (0, 3, 1, 2)),
            *(east.set_namespaces(ALL[count:]) for count in (3, 0, 2, number % 2)),
        )
        expected = set(ALL[:2]) & set(ALL[number % 2 :])
        await field.until(
            lambda expected=expected: (
                set(shared(west, "east")) == expected == set(shared(east, "west"))
            )
        )


async def test_a_peer_that_cannot_be_reached_hears_later(field):
    west = await field.collector("west", namespaces=("users",), probe=ALL)
    east = field.unstarted("east", namespaces=ALL, probe=ALL)
    await east.start()
    await west.connect_to(east.address)
    await east.kill()
    await field.until(lambda: not west.connections()[0].established)
    await west.set_namespaces(("orders",))
    assert shared(west, "east") == ()
    again = await field.collector("east", listen=east.address, namespaces=ALL, probe=ALL)
    await field.until(lambda: shared(west, "east") == ("orders",))
    assert shared(again, "west") == ("orders",)
    assert await status(field, west, "orders", "east") == 200


async def test_a_peer_that_refuses_is_told_again(field):
    west = await field.collector("west", namespaces=("users",))
    peer = await field.peer("east")
    await west.connect_to(peer.address)

    async def full(request, context):
        peer.on_connect = peer.accept_connection
        return ConnectResponse(status=Status(code=429, message="enough"))

    peer.on_connect = full
    await west.add_namespaces("orders")
    assert shared(west, "east") == ("users",)
    await field.until(lambda: shared(west, "east") == ("users", "orders"))
    assert [list(request.namespaces) for request in peer.asked] == [
        ["users"],
        ["users", "orders"],
        ["users", "orders"],
    ]


async def test_a_checkpoint_keeps_the_namespaces(field):
    west, east = await pair(field, ("users", "orders"), ALL)
    checkpoints = [collector.checkpoint() for collector in (west, east)]
    await west.set_namespaces(("stock",))
    await west.restore(checkpoints[0])
    await east.restore(checkpoints[1])
    assert west.namespaces == ("users", "orders")
    assert shared(west, "east") == shared(east, "west") == ("users", "orders")


async def test_a_namespace_needs_a_name(field):
    west = await field.collector("west", namespaces=("users",))
    with pytest.raises(SettingsError, match="needs a name"):
        await west.add_namespaces("")
    assert west.namespaces == ("users",)


async def test_mutual_connects_are_one_connection(field):
    """CON-005, CON-006"""
    west = await field.collector("west", namespaces=("users",), probe=("users",))
    east = await field.collector("east", namespaces=("users",), probe=("users",))
    await asyncio.gather(
        *(west.connect_to(east.address) for _ in range(3)),
        *(east.connect_to(west.address) for _ in range(3)),
    )
    assert [each.collector_id for each in west.connections()] == ["east"]
    assert [each.collector_id for each in east.connections()] == ["west"]
    caller = field.caller(east.address)
    for count in (1, 2, 3):
        reply = await caller.dispatch("users", PROBE, "Count", "k", target="west")
        assert reply.status == OK
        assert west.statistics().executions[f"users/{PROBE}/Count"] == count


@pytest.mark.parametrize("restarted", ["west", "east"])
async def test_mutual_connects_at_other_addresses_outlive_a_restart(field, restarted):
    """CON-013, CON-014: who is told a newer address keeps the connection up at that one."""
    made = {
        name: field.unstarted(name, namespaces=("users",), probe=("users",))
        for name in ("west", "east")
    }
    for collector in made.values():
        await collector.start()
    for one, other in (("west", "east"), ("east", "west")):
        # Another text for the same place than the one that the peer advertises.
        await made[one].connect_to(f"ipv4:{made[other].address}")
    address = made[restarted].address
    await made[restarted].kill()
    (stays,) = made.keys() - {restarted}
    await field.until(lambda: not made[stays].connections()[0].established)
    again = await field.collector(
        restarted, listen=address, namespaces=("users",), probe=("users",)
    )
    await field.until(lambda: bool(again.connections()))
    assert await status(field, again, "users", stays) == 200
    await field.until(lambda: made[stays].connections()[0].established)
    assert await status(field, made[stays], "users", restarted) == 200
    assert len(made[stays].connections()) == 1
    await made[stays].kill()


async def test_what_a_peer_said_when_it_left_is_forgotten_once_it_is_back(field):
    """CON-014"""
    west, east = await pair(field, ("users",), ("users", "orders"))
    await east.connect_to(west.address)
    await east.stop()
    await field.collector("east", listen=east.address, namespaces=("users", "orders"))
    await field.until(lambda: shared(west, "east") == ("users",))
    # Up to its first wait the change uses only what is known of the peer.
    telling = asyncio.create_task(west.set_namespaces(("users", "stock")))
    await asyncio.sleep(0)
    assert shared(west, "east") == ("users",)
    await telling
