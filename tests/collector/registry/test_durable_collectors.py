"""Collectors as processes, on registries that outlive them."""

from __future__ import annotations

import signal
import sqlite3
import subprocess

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from collector_reference import Collector, CollectorSettings
from collector_reference.registry.notation import SqliteRegistry
from collector_reference.wire.registry_pb2 import LookupServiceRequest, RegisterProtoRequest

PROBE = "conformance.Probe"


def address_of(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().split()[-1]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restarted_collector_has_its_registrations_and_serves_as_before(
    field, tmp_path, end, launched
):
    """OPS-005"""
    variables = {"COLLECTOR_REGISTRY": f"sqlite:{tmp_path / 'r.db'}", "COLLECTOR_PROBE": "users"}
    proto = RegisterProtoRequest(
        namespace="ns", file_descriptor=FileDescriptorProto(name="a.proto")
    )
    with launched(**variables) as process:
        caller = field.caller(address_of(process))
        await caller.register("ns", "S", "B", "A")
        await caller.registry.RegisterProto(proto)
        before = await caller.registry.LookupService(
            LookupServiceRequest(namespace="ns", service_name="S")
        )
        process.send_signal(end)
        process.wait()
    with launched(**variables) as process:
        caller = field.caller(address_of(process))
        assert (await caller.validate("ns", "S", "A")).is_valid
        after = await caller.registry.LookupService(
            LookupServiceRequest(namespace="ns", service_name="S")
        )
        assert after == before
        for again in (caller.register("ns", "S", "B"), caller.registry.RegisterProto(proto)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await again
            assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
        await caller.register("ns", "T", "A")
        assert (await caller.serve("users", PROBE, "WhoAmI")).status.code == 200


async def test_what_it_no_longer_serves_is_not_in_its_registry_any_more(field, tmp_path, launched):
    """OPS-005: its own services are declared anew at each start, never kept."""
    registry = f"sqlite:{tmp_path / 'r.db'}"
    with launched(COLLECTOR_REGISTRY=registry, COLLECTOR_PROBE="users") as process:
        caller = field.caller(address_of(process))
        assert (await caller.validate("users", PROBE, "WhoAmI")).is_valid
    with launched(COLLECTOR_REGISTRY=registry) as process:
        caller = field.caller(address_of(process))
        assert not (await caller.validate("users", PROBE, "WhoAmI")).is_valid


def test_a_file_that_cannot_be_used_ends_the_start_with_a_sentence(tmp_path, launched):
    path = tmp_path / "diary.txt"
    path.write_text("dear diary, " * 100)
    with launched(stderr=subprocess.PIPE, COLLECTOR_REGISTRY=f"sqlite:{path}") as process:
        output, errors = process.communicate()
    assert (process.returncode, output) == (3, "")
    last = errors.splitlines()[-1]
    assert last == (
        f"error: COLLECTOR_REGISTRY: the registry file {path} cannot be used: it is not a "
        "database; name another file, or move this one away to begin with an empty registry"
    )
    assert "Traceback" not in errors


async def test_a_collector_on_a_file_goes_back_to_its_checkpoint(field, tmp_path):
    settings = CollectorSettings(
        collector_id="west",
        probe=("users",),
        registry=SqliteRegistry(path=tmp_path / "r.db"),
    )
    collector = await field.running(Collector(settings))
    caller = field.caller(collector.address)
    await caller.register("ns", "Kept", "A")
    checkpoint = collector.checkpoint()
    for _ in range(2):
        await caller.register("ns", "Later", "A")
        assert (await caller.validate("ns", "Later", "A")).is_valid
        await collector.restore(checkpoint)
        assert not (await caller.validate("ns", "Later", "A")).is_valid
        assert (await caller.validate("ns", "Kept", "A")).is_valid
        assert (await caller.serve("users", PROBE, "WhoAmI")).status.code == 200


async def test_a_full_disk_is_told_and_nothing_is_half_written(field, tmp_path, descriptor):
    """REG-003, SEC-004: here the disk's end is SQLite's own limit of pages."""
    path = tmp_path / "r.db"
    collector = await field.running(
        Collector(CollectorSettings(collector_id="west", registry=SqliteRegistry(path=path)))
    )
    collector._store._connection.execute("PRAGMA max_page_count = 12")
    caller = field.caller(collector.address)
    stored = 0

    async def fill() -> None:
        nonlocal stored
        for _ in range(200):
            await caller.register("ns", f"S{stored}", *(f"Method{n}" for n in range(50)))
            stored += 1

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await fill()
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.UNAVAILABLE,
        "the registry's store is unavailable",
    )
    assert stored > 0
    kept = sqlite3.connect(path)
    assert kept.execute("SELECT count(*) FROM services").fetchone()[0] == stored
    kept.close()
    assert (await caller.validate("ns", "S0", "Method0")).is_valid
