"""What only a shared registry can do: be seen by others, be away, lose a member, and forget."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
import types
import uuid
from datetime import timedelta

import grpc
import pytest
from aetcd import rpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from collector_harness.mesh import Mesh
from collector_harness.targets import parse_target
from collector_harness.topology import parse_topology
from collector_reference import Collector
from collector_reference.errors import RestoreRefused
from collector_reference.registry import etcd_client
from collector_reference.registry.etcd_client import EtcdClient
from collector_reference.registry.notation import EtcdRegistry
from collector_reference.wire.registry_pb2 import ListServicesRequest

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
METHOD = ("ns", "S", "A")


async def fleet(field, registry, count=3, **settings):
    """Collectors on one registry, and a caller of each."""
    collectors = await asyncio.gather(
        *(field.collector(f"c{number}", registry=registry, **settings) for number in range(count))
    )
    return [field.caller(collector.address) for collector in collectors]


async def test_what_one_registers_all_others_see_within_two_seconds(field, etcd):
    callers = await fleet(field, EtcdRegistry(place=etcd.place()))
    await callers[0].register(*METHOD)
    registered = asyncio.get_running_loop().time()
    assert (await callers[0].validate(*METHOD)).is_valid
    for caller in callers[1:]:
        await field.eventually(lambda caller=caller: valid(caller))
    assert asyncio.get_running_loop().time() - registered < 2
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await callers[1].register(*METHOD)
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_a_believed_answer_is_dropped_when_another_collector_registers(field, etcd):
    """VAL-010: the change of another advances the generation too."""
    registry = EtcdRegistry(place=etcd.place())
    one, other = await fleet(field, registry, 2, validation_cache=timedelta(minutes=10))
    refused = await one.serve(*METHOD)
    assert refused.status.message.startswith("service not registered in registry")
    await other.register(*METHOD)

    async def believed() -> bool:
        message = (await one.serve(*METHOD)).status.message
        return message == "namespace 'ns' not found"

    await field.eventually(believed)


async def test_what_a_collector_declares_is_its_own(field, etcd):
    """VAL-006: one collector's system namespace does not open another's port."""
    registry = EtcdRegistry(place=etcd.place())
    probing = await field.collector("probing", registry=registry, probe=("users",))
    plain = await field.collector("plain", registry=registry)
    assert (
        await field.caller(probing.address).validate("users", "conformance.Probe", "Echo")
    ).is_valid
    assert not (
        await field.caller(plain.address).validate("users", "conformance.Probe", "Echo")
    ).is_valid


async def test_of_registrations_at_all_collectors_at_once_one_succeeds(field, etcd):
    """REG-003, REG-014"""
    callers = await fleet(field, EtcdRegistry(place=etcd.place()))
    for number in range(10):
        outcomes = await asyncio.gather(
            *(caller.register("ns", f"S{number}", "A") for caller in callers * 3),
            return_exceptions=True,
        )
        codes = [
            outcome.code().name if isinstance(outcome, grpc.aio.AioRpcError) else "OK"
            for outcome in outcomes
        ]
        assert sorted(codes) == ["ALREADY_EXISTS"] * 8 + ["OK"]


async def test_while_etcd_is_away_writes_fail_reads_answer_and_health_tells(field, own_etcd):
    """OPS-001, VAL-008"""
    registry = EtcdRegistry(place=own_etcd.place())
    limit = timedelta(seconds=5)
    west, east = await fleet(field, registry, 2, ready_limit=limit)
    await west.register(*METHOD)
    watch = health_pb2_grpc.HealthStub(west.channel).Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == SERVING
    own_etcd.kill(0)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await west.register("ns", "T", "A")
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.UNAVAILABLE,
        "the registry's store is unavailable",
    )
    async with asyncio.timeout(10):
        assert (await watch.read()).status == NOT_SERVING
    assert (await west.validate(*METHOD)).is_valid
    own_etcd.start(0)
    assert (await watch.read()).status == SERVING
    watch.cancel()
    await west.register("ns", "U", "A")
    await field.eventually(lambda: valid(east, "ns", "U", "A"))
    assert (await east.validate(*METHOD)).is_valid


async def test_nothing_acknowledged_is_lost_when_the_leader_is_killed(field, three_etcds, tmp_path):
    registry = EtcdRegistry(place=three_etcds.place())
    callers = await fleet(field, registry, 2, ready_limit=timedelta(seconds=15))
    acknowledged: list[str] = []
    failures: set[grpc.StatusCode] = set()
    done = False

    async def client(caller) -> None:
        while not done:
            name = f"S{uuid.uuid4().hex}"
            try:
                await caller.register("ns", name, "A")
            except grpc.aio.AioRpcError as error:
                failures.add(error.code())
            else:
                acknowledged.append(name)

    async def enough(count: int) -> None:
        await field.until(lambda: len(acknowledged) >= count)

    async with asyncio.TaskGroup() as group:
        for caller in callers * 2:
            group.create_task(client(caller))
        for _ in range(2):
            await enough(len(acknowledged) + 30)
            leader = await leader_of(three_etcds)
            three_etcds.kill(leader)
            await enough(len(acknowledged) + 30)
            three_etcds.start(leader)
        done = True
    assert failures <= {grpc.StatusCode.UNAVAILABLE}
    for caller in callers:

        async def all_there(caller=caller) -> bool:
            answers = await asyncio.gather(
                *(caller.validate("ns", name, "A") for name in acknowledged)
            )
            return all(answer.is_valid for answer in answers)

        await field.eventually(all_there)
    newcomer = field.caller((await field.collector("new", registry=registry)).address)
    for name in acknowledged:
        assert (await newcomer.validate("ns", name, "A")).is_valid


async def test_a_member_that_hangs_is_left_for_another(field, three_etcds):
    place = dataclasses.replace(three_etcds.place(), endpoints=three_etcds.endpoints[:2])
    (caller,) = await fleet(field, EtcdRegistry(place=place), 1, ready_limit=timedelta(seconds=20))
    await caller.register("ns", "Before", "A")
    three_etcds.pause(0)
    try:
        await caller.register("ns", "During", "A")
        assert (await caller.validate("ns", "During", "A")).is_valid
    finally:
        three_etcds.resume(0)


async def test_calls_that_leave_a_member_at_once_all_go_on_to_the_other(etcd, closed_port):
    async with grpc.aio.insecure_channel(etcd.endpoints[0]) as channel:
        await channel.channel_ready()
    place = etcd.place()
    endpoints = (closed_port["address"], etcd.endpoints[0])
    client = EtcdClient(
        dataclasses.replace(place, endpoints=endpoints), limit=timedelta(seconds=10)
    )
    # So every member is asked once: who came back to the first one would give up.
    client.patient = False
    keys = [f"{place.prefix}/{number}".encode() for number in range(4)]
    await asyncio.gather(client.probe(), *(client.put(key, b"v") for key in keys))
    assert {entry.key for entry in (await client.load(f"{place.prefix}/".encode()))[1]} == {*keys}
    await client.close()


async def test_a_leased_registration_lives_as_long_as_its_collector(field, etcd, launched):
    lease = timedelta(seconds=2)
    leasing = EtcdRegistry(place=etcd.place(), lease=lease)
    with launched(COLLECTOR_REGISTRY=str(leasing)) as process:
        address = process.stdout.readline().split()[-1]
        (witness,) = await fleet(field, EtcdRegistry(place=leasing.place), 1)
        await field.caller(address).register(*METHOD)
        clock = asyncio.get_running_loop().time
        # That it outlives its lease is what is to be seen, so the time has to pass.
        outlived = clock() + 2 * lease.total_seconds()
        await field.until(lambda: clock() > outlived)
        assert (await witness.validate(*METHOD)).is_valid
        process.kill()
        process.wait()
        await field.eventually(lambda: gone(witness))
        await witness.register(*METHOD)


async def test_a_lost_lease_is_taken_again_with_its_registrations(field, etcd):
    leasing = EtcdRegistry(place=etcd.place(), lease=timedelta(seconds=2))
    holder = await field.collector("holder", registry=leasing)
    (witness,) = await fleet(field, EtcdRegistry(place=leasing.place), 1)
    await field.caller(holder.address).register(*METHOD)
    await field.eventually(lambda: valid(witness))
    async with grpc.aio.insecure_channel(etcd.endpoints[0]) as channel:
        key = f"{leasing.place.prefix}/services/ns/S".encode()
        found = await rpc.KVStub(channel).Range(rpc.RangeRequest(key=key))
        await rpc.LeaseStub(channel).LeaseRevoke(rpc.LeaseRevokeRequest(ID=found.kvs[0].lease))
    await field.eventually(lambda: gone(witness))
    await field.eventually(lambda: valid(witness))


async def test_a_watch_that_fell_behind_a_compaction_loads_anew(field, own_etcd):
    registry = EtcdRegistry(place=own_etcd.place())
    west, east = await fleet(field, registry, 2, ready_limit=timedelta(seconds=15))
    await west.register("ns", "Before", "A")
    own_etcd.kill(0)
    own_etcd.start(0)
    async with grpc.aio.insecure_channel(own_etcd.endpoints[0]) as channel:
        await asyncio.wait_for(channel.channel_ready(), 30)
        stub = rpc.KVStub(channel)
        put = await stub.Put(rpc.PutRequest(key=b"elsewhere", value=b"x"), wait_for_ready=True)
        await stub.Compact(rpc.CompactionRequest(revision=put.header.revision))
    await west.register("ns", "After", "A")
    for caller in (west, east):
        await field.eventually(lambda caller=caller: valid(caller, "ns", "After", "A"))
        assert (await caller.validate("ns", "Before", "A")).is_valid


async def test_however_large_what_there_is_all_of_it_is_loaded_in_order(etcd, monkeypatch):
    """Page by page, each as large as the records before it let it be."""
    place = etcd.place()
    client = EtcdClient(place, limit=timedelta(seconds=20))
    prefix = f"{place.prefix}/".encode()
    # Keys in another order than that of their creation, and values of very different sizes.
    keys = [prefix + f"{number * 7 % 60:02}".encode() for number in range(60)]
    for number, key in enumerate(keys):
        await client.put(key, b"v" * (number % 10) ** 4)
    asked = []
    original = EtcdClient._call

    async def call(self, ask, **how):
        asked.append(how)
        return await original(self, ask, **how)

    monkeypatch.setattr(EtcdClient, "_call", call)
    monkeypatch.setattr(etcd_client, "_FIRST_PAGE", 3)
    monkeypatch.setattr(etcd_client, "_PAGE_BYTES", 5_000)
    revision, entries = await client.load(prefix)
    assert [entry.key for entry in entries] == keys
    assert revision >= max(entry.changed for entry in entries)
    assert 5 < len(asked) < 61
    assert (await client.load(prefix + b"none/"))[1] == []
    await client.close()


async def test_what_is_no_record_is_left_out_and_harms_nothing(field, etcd, caplog):
    place = etcd.place()
    west, east = await fleet(field, EtcdRegistry(place=place), 2)
    await west.register("ns", "Before", "A")
    async with grpc.aio.insecure_channel(etcd.endpoints[0]) as channel:
        stub = rpc.KVStub(channel)
        before = await stub.Range(
            rpc.RangeRequest(key=f"{place.prefix}/services/ns/Before".encode())
        )
        for rest, value in (
            (b"services/ns/Broken", b"0123456789abcdef\xff\xff"),
            (b"services/ns/Another", before.kvs[0].value),
            (b"services/\xff/Text", before.kvs[0].value),
            (b"services/%FF/Text", before.kvs[0].value),
            (b"protos/ns/broken.proto", b"0123456789abcdef\xff\xff"),
            (b"elsewhere", b""),
        ):
            await stub.Put(rpc.PutRequest(key=f"{place.prefix}/".encode() + rest, value=value))
    await west.register("ns", "After", "A")
    await field.eventually(lambda: valid(east, "ns", "After", "A"))
    (late,) = await fleet(field, EtcdRegistry(place=place), 1)
    for caller in (west, east, late):
        listed = await caller.registry.ListServices(ListServicesRequest(namespace="ns"))
        assert [each.service_name for each in listed.services] == ["Before", "After"]
        assert not (await caller.validate("ns", "Broken", "A")).is_valid
    assert "services/ns/Another' in etcd holds no record, and is left out" in caplog.text


@pytest.mark.parametrize("kilobytes", [800, 2_000])
async def test_a_record_that_etcd_never_takes_is_refused_as_that(field, etcd, kilobytes):
    (caller,) = await fleet(field, EtcdRegistry(place=etcd.place()), 1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        # The name is in it twice: in the descriptor, and in the list.
        await caller.register("ns", "S", "M" * kilobytes * 1_000)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "more than etcd takes" in caught.value.details()
    await caller.register(*METHOD)


async def test_a_full_etcd_refuses_registrations_and_answers_for_those_it_has(field, etcd_with):
    # A few large records fit, and then etcd closes itself to writes.
    with etcd_with(flags=["--quota-backend-bytes", str(4 * 1024 * 1024)]) as full:
        (caller,) = await fleet(field, EtcdRegistry(place=full.place()), 1)
        await caller.register(*METHOD)
        large = "M" * 256 * 1024
        refused = None
        # What is not committed yet does not count for its quota.
        for stored in range(100):
            try:
                await caller.register("ns", f"Large{stored}", large)
            except grpc.aio.AioRpcError as error:
                refused = error.code()
                break
        assert refused is grpc.StatusCode.UNAVAILABLE
        assert stored > 0
        assert (await caller.validate(*METHOD)).is_valid
        assert (await caller.validate("ns", "Large0", large)).is_valid
        assert not (await caller.validate("ns", f"Large{stored}", large)).is_valid


async def test_a_mesh_on_a_shared_registry_is_not_reset(etcd, monkeypatch):
    registry = EtcdRegistry(place=etcd.place())

    def make(settings):
        return Collector(dataclasses.replace(settings, registry=registry))

    module = types.ModuleType("collectors_on_etcd")
    module.make = make
    monkeypatch.setitem(sys.modules, "collectors_on_etcd", module)
    mesh = Mesh(
        parse_topology({"nodes": {"west": {"namespaces": ["users"]}}}, source="here"),
        target=parse_target("python:collectors_on_etcd:make"),
    )
    await mesh.start()
    try:
        collector = mesh["west"].collector
        with pytest.raises(RestoreRefused, match="belongs to other collectors too"):
            await collector.restore(collector.checkpoint())
        assert await mesh.reset() is False
    finally:
        await mesh.stop()


def test_an_etcd_that_does_not_answer_ends_the_start_with_a_sentence(closed_port, launched):
    place = f"etcd:{closed_port['address']}/nowhere"
    with launched(stderr=subprocess.PIPE, COLLECTOR_REGISTRY=place) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 5
    assert f"the registry at {place} could not be asked" in errors
    assert "COLLECTOR_REGISTRY" in errors
    assert "Traceback" not in errors


def test_without_the_library_the_extra_is_named(launched):
    script = (
        "import sys; sys.modules['aetcd'] = None; "
        "from collector_reference.__main__ import main; sys.exit(main())"
    )
    variables = {"COLLECTOR_REGISTRY": "etcd:127.0.0.1:1/x"}
    with launched("-c", script, stderr=subprocess.PIPE, **variables) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert errors.splitlines()[-1] == (
        "error: a registry or membership in etcd needs a library that is not installed: "
        "pip install 'collector-harness[etcd]'"
    )
    assert "Traceback" not in errors


def test_a_collector_without_etcd_does_not_import_its_library():
    script = (
        "import asyncio, sys; from collector_reference import Collector, CollectorSettings\n"
        "async def main():\n"
        "    async with Collector(CollectorSettings(collector_id='west')): pass\n"
        "asyncio.run(main()); sys.exit('aetcd' in sys.modules or 'sqlite3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


async def valid(caller, namespace="ns", service="S", method="A") -> bool:
    return (await caller.validate(namespace, service, method)).is_valid


async def gone(caller) -> bool:
    return not await valid(caller)


async def leader_of(cluster) -> int:
    for number, endpoint in enumerate(cluster.endpoints):
        if cluster.processes[number] is None:
            continue
        async with grpc.aio.insecure_channel(endpoint) as channel:
            status = await rpc.MaintenanceStub(channel).Status(
                rpc.StatusRequest(), wait_for_ready=True
            )
        if status.leader == status.header.member_id:
            return number
    raise AssertionError("no member leads")
