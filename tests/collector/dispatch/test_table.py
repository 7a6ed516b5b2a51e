from __future__ import annotations

from google.protobuf.any_pb2 import Any


async def test_namespaces_that_nobody_shares_leave_nothing_behind(field):
    """Callers and peers may name any number of namespaces: memory stays what it was."""
    west = await field.collector("west", namespaces=("users",))
    peer = await field.peer("east")
    caller = field.caller(west.address)
    table = west._connections._table
    for number in range(50):
        reply = await caller.dispatch(f"ns-{number}", "S", "M", Any())
        assert reply.status.code == 404
        await caller.connect("east", peer.address, [f"ns-{number}"])
    assert (table._sharing, table._in_order, dict(table._turns)) == ({}, {}, {})
    await caller.connect("east", peer.address, ["users"])
    assert (await caller.dispatch("users", "S", "M")).status.code == 200
    await west.set_namespaces(())
    assert (table._sharing, table._in_order, dict(table._turns)) == ({}, {}, {})
