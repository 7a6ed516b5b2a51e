"""Collectors that find each other in etcd."""

from __future__ import annotations

import asyncio
import json
import subprocess
from datetime import timedelta

import grpc
import pytest
from aetcd import rpc

from collector_reference import CollectorSettings, SettingsError
from collector_reference.registry import etcd_client
from collector_reference.registry.notation import EtcdMembership

PROBE = "conformance.Probe"


def membership_in(etcd, seconds: int = 2) -> EtcdMembership:
    return EtcdMembership(place=etcd.place(), lease=timedelta(seconds=seconds))


def peers_of(collector) -> set[str]:
    return {each.collector_id for each in collector.connections() if each.established}


async def test_members_connect_to_each_other_once_and_route(field, etcd, text):
    membership = membership_in(etcd)
    collectors = [
        await field.collector(name, membership=membership, namespaces=("users",), probe=probe)
        for name, probe in (("b", ()), ("c", ("users",)), ("a", ()))
    ]
    names = {collector.collector_id for collector in collectors}
    for collector in collectors:
        await field.until(
            lambda collector=collector: peers_of(collector) == names - {collector.collector_id}
        )
        assert len(collector.connections()) == 2
        reply = await field.caller(collector.address).dispatch("users", PROBE, "WhoAmI")
        assert (reply.output, reply.handled_by_collector_id) == (text("c"), "c")


async def test_a_member_that_dies_is_forgotten_after_its_lease(field, etcd, launched):
    membership = membership_in(etcd)
    survivors = [
        await field.collector(name, membership=membership, namespaces=("users",))
        for name in ("a", "z")
    ]
    with launched(**member(membership, "m")) as process:
        for survivor in survivors:
            await field.until(lambda survivor=survivor: "m" in peers_of(survivor))
        process.kill()
        process.wait()
    for survivor in survivors:
        await field.until(
            lambda survivor=survivor: (
                "m" not in {each.collector_id for each in survivor.connections()}
            )
        )
    assert peers_of(survivors[0]) == {"z"}


async def test_a_member_that_leaves_is_forgotten_at_once(field, etcd):
    membership = membership_in(etcd, seconds=600)
    stays = await field.collector("a", membership=membership, namespaces=("users",))
    leaves = await field.collector("b", membership=membership, namespaces=("users",))
    await field.until(lambda: peers_of(stays) == {"b"})
    await leaves.stop(timedelta(seconds=1))
    await field.until(lambda: stays.connections() == ())


async def test_a_member_that_leaves_is_forgotten_before_its_last_call_has_ended(field, etcd):
    """OPS-003: nobody new finds a collector that is about to end, and it ends what it does."""
    membership = membership_in(etcd, seconds=600)
    stays = await field.collector("a", membership=membership, namespaces=("users",))
    leaves = await field.collector("b", membership=membership, namespaces=("users",))
    begun, freed = asyncio.Event(), asyncio.Event()

    async def handler(_input, _context):
        begun.set()
        await freed.wait()
        return "done"

    leaves.register_service("users", "S", "M", handler)
    await field.until(lambda: peers_of(stays) == {"b"})
    call = asyncio.create_task(field.caller(stays.address).dispatch("users", "S", "M"))
    await begun.wait()
    stopping = asyncio.create_task(leaves.stop())
    await field.until(lambda: stays.connections() == ())
    assert not stopping.done()
    freed.set()
    assert (await call).status.code == 200
    await stopping


async def test_a_stop_does_not_wait_for_an_etcd_that_hangs(field, own_etcd, monkeypatch):
    """The window of refusing bounds it: the entry goes when its lease runs out."""
    alone = await field.collector("a", membership=membership_in(own_etcd), namespaces=("users",))
    monkeypatch.setattr(etcd_client, "_ATTEMPT", 600.0)
    own_etcd.pause(0)
    try:
        # The connection itself would be given up after 13 s.
        async with asyncio.timeout(8):
            await alone.stop(timedelta(seconds=1))
    finally:
        own_etcd.resume(0)


async def test_a_member_that_comes_back_elsewhere_is_met_again(field, etcd, launched):
    membership = membership_in(etcd, seconds=600)
    stays = await field.collector("a", membership=membership, namespaces=("users",))
    with launched(**member(membership, "b")) as process:
        first = process.stdout.readline().split()[-1]
        await field.until(lambda: [c.address for c in stays.connections()] == [first])
        # Killed: its old entry is still there when it returns.
        process.kill()
        process.wait()
    with launched(**member(membership, "b")) as process:
        second = process.stdout.readline().split()[-1]
        await field.until(
            lambda: [(c.address, c.established) for c in stays.connections()] == [(second, True)]
        )
    assert first != second


async def test_a_lost_lease_is_taken_again(field, etcd):
    membership = membership_in(etcd)
    one = await field.collector("a", membership=membership, namespaces=("users",))
    await field.collector("b", membership=membership, namespaces=("users",))
    await field.until(lambda: peers_of(one) == {"b"})
    async with grpc.aio.insecure_channel(etcd.endpoints[0]) as channel:
        key = f"{membership.place.prefix}/members/b".encode()
        found = await rpc.KVStub(channel).Range(rpc.RangeRequest(key=key))
        await rpc.LeaseStub(channel).LeaseRevoke(rpc.LeaseRevokeRequest(ID=found.kvs[0].lease))
    await field.until(lambda: one.connections() == ())
    await field.until(lambda: peers_of(one) == {"b"})


async def test_an_entry_that_cannot_be_read_harms_nothing(field, etcd):
    membership = membership_in(etcd)
    async with grpc.aio.insecure_channel(etcd.endpoints[0]) as channel:
        for name, value in (
            (b"x", b"\xff"),
            (b"y", b"[]"),
            (b"z", b'{"address": 1}'),
            (b"\xff", b"{}"),
        ):
            key = f"{membership.place.prefix}/members/".encode() + name
            await rpc.KVStub(channel).Put(rpc.PutRequest(key=key, value=value), wait_for_ready=True)
    one = await field.collector("a", membership=membership, namespaces=("users",))
    await field.collector("b", membership=membership, namespaces=("users",))
    await field.until(lambda: peers_of(one) == {"b"})


async def test_the_entry_tells_where_a_member_is_and_what_it_shares_now(field, etcd):
    membership = membership_in(etcd)
    one = await field.collector("a/b", membership=membership, namespaces=("users",))

    async def entry() -> dict[str, object]:
        async with grpc.aio.insecure_channel(etcd.endpoints[0]) as channel:
            key = f"{membership.place.prefix}/members/a%2Fb".encode()
            found = await rpc.KVStub(channel).Range(rpc.RangeRequest(key=key))
            return json.loads(found.kvs[0].value)

    assert await entry() == {"address": one.address, "namespaces": ["users"]}
    await one.set_namespaces(("orders", "users"))
    assert await entry() == {"address": one.address, "namespaces": ["orders", "users"]}


async def test_without_membership_nobody_is_found(field, etcd):
    """Off unless asked for: collectors on one registry stay strangers."""
    membership = membership_in(etcd)
    stranger = await field.collector("stranger", namespaces=("users",))
    one = await field.collector("a", membership=membership, namespaces=("users",))
    await field.collector("zz", membership=membership, namespaces=("users",))
    await field.until(lambda: peers_of(one) == {"zz"})
    assert stranger.connections() == ()


def test_an_etcd_that_does_not_answer_ends_the_start_with_a_sentence(closed_port, launched):
    told = member(f"etcd:{closed_port['address']}/fleet", "a")
    with launched(stderr=subprocess.PIPE, **told) as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (5, "")
    assert "COLLECTOR_MEMBERSHIP" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "text",
    ["memory", "etcd:", "etcd:127.0.0.1:1", "etcd:oops/x", "etcd:127.0.0.1:1/x?ttl=3"],
)
def test_a_place_that_cannot_be_one_names_the_variable_and_the_form(text):
    with pytest.raises(SettingsError, match=r"write etcd:HOST:PORT") as caught:
        CollectorSettings.from_environment({"COLLECTOR_MEMBERSHIP": text})
    assert caught.value.setting == "COLLECTOR_MEMBERSHIP"


def member(membership: EtcdMembership | str, collector_id: str) -> dict[str, str]:
    """Returns what such a collector is told as a process."""
    return {
        "COLLECTOR_ID": collector_id,
        "COLLECTOR_NAMESPACES": "users",
        "COLLECTOR_MEMBERSHIP": str(membership),
    }
