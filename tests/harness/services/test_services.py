"""Services that run: what they are told, how they are called, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from collector_harness.blocking import BlockingMesh
from collector_harness.errors import InvalidInput, TargetFailed
from collector_harness.faults.plan import FaultPlan
from collector_harness.mesh import Mesh
from collector_harness.runtime import Runtime
from collector_harness.scenario.pool import MeshPool
from collector_harness.targets import Reference
from collector_harness.topology import parse_topology

MeshOf = Callable[..., Mesh]

TOLD = """\
  told:
    python: "app.py:told"
    ready: {log: told everything}
    environment: {TOLD_HUB: "${node.hub.address}", TOLD_SELF: "${service.told.url}", TOLD_TEXT: "$${x}"}
    database: sqlite:told.db
"""  # noqa: E501


def test_a_service_is_told_addresses_and_its_database(mesh_of: MeshOf, runtime: Runtime) -> None:
    mesh = mesh_of(TOLD)
    runtime.run(mesh.start())
    told = dict(line.split("=", 1) for line in mesh["told"].logs().splitlines() if "=" in line)
    assert told == {
        "TOLD_HUB": mesh["hub"].address,
        "TOLD_SELF": f"grpc://{mesh['told'].address}",
        "TOLD_TEXT": "${x}",
        "DATABASE_URL": mesh["told"].database_url,
    }
    file = Path(mesh["told"].database_url.removeprefix("sqlite:///"))
    assert file.parent.is_dir()
    runtime.run(mesh.stop())
    assert not file.parent.exists()


def test_services_may_be_told_of_each_other(mesh_of: MeshOf, runtime: Runtime) -> None:
    mesh = mesh_of("""\
      one: {python: "app.py:told", ready: {port: true}, environment: {TOLD_OTHER: "${service.two.address}"}}
      two: {python: "app.py:told", ready: {port: true}, environment: {TOLD_OTHER: "${service.one.address}"}}
    """)  # noqa: E501
    runtime.run(mesh.start())
    assert f"TOLD_OTHER={mesh['two'].address}" in mesh["one"].logs()
    assert f"TOLD_OTHER={mesh['one'].address}" in mesh["two"].logs()


def _descriptors(path: Path, **fields: int) -> None:
    """Writes a version of shop.proto in which a product has these fields, numbered, all texts."""
    files = FileDescriptorSet()
    file = files.file.add(name="shop.proto", package="shop", syntax="proto3")
    message = file.message_type.add(name="Product")
    for name, number in fields.items():
        message.field.add(name=name, number=number, type=9, label=1)
    service = file.service.add(name="Catalogue")
    service.method.add(name="Get", input_type=".shop.Product", output_type=".shop.Product")
    path.write_bytes(files.SerializeToString())


def test_two_services_have_different_versions_of_one_proto(
    mesh_of: MeshOf, runtime: Runtime, folder: Path
) -> None:
    _descriptors(folder / "old.binpb", name=1)
    _descriptors(folder / "new.binpb", title=1, price=2)
    mesh = mesh_of("""\
      old: {python: "app.py:bare", protos: [old.binpb]}
      new: {python: "app.py:bare", protos: [new.binpb]}
    """)
    runtime.run(mesh.start())
    blocking = BlockingMesh(mesh, runtime)
    old = blocking["old"].call("shop.Catalogue/Get", {"name": "tea"})
    new = blocking["new"].call("shop.Catalogue/Get", {"title": "tea", "price": "3"})
    assert old.output == {"name": "tea"}
    assert new.output == {"title": "tea", "price": "3"}
    with pytest.raises(InvalidInput, match="title"):
        blocking["old"].call("shop.Catalogue/Get", {"title": "tea"})
    assert blocking["old"].url == f"grpc://{blocking['old'].address}"


def test_a_service_speaks_tls_with_a_certificate_of_the_run(
    mesh_of: MeshOf, runtime: Runtime, folder: Path
) -> None:
    _descriptors(folder / "shop.binpb", name=1)
    mesh = mesh_of(
        '  safe: {python: "app.py:bare", protos: [shop.binpb], tls: mutual, ready: {within: 60s}}\n'
    )
    runtime.run(mesh.start())
    reply = BlockingMesh(mesh, runtime)["safe"].call("shop.Catalogue/Get", {"name": "tea"})
    assert reply.output == {"name": "tea"}
    assert mesh["safe"].url.startswith("grpcs://")


def test_a_service_starts_anew_between_cases_unless_it_keeps(
    folder: Path, runtime: Runtime
) -> None:
    (folder / "t.yaml").write_text(
        "nodes: {hub: }\nservices:\n"
        '  fresh: {python: "app.py:told", database: "sqlite:f.db", ready: {log: told every}}\n'
        '  kept: {python: "app.py:told", database: "sqlite:k.db", reset: keep, '
        "ready: {log: told every}}\n"
    )
    topology = parse_topology(folder / "t.yaml")

    def files(mesh: Mesh) -> list[Path]:
        urls = [mesh[name].database_url for name in ("fresh", "kept")]
        return [Path(url.removeprefix("sqlite:///")) for url in urls]

    async def work() -> None:
        pool = MeshPool(target=Reference())
        try:
            async with pool.lease(topology) as mesh:
                first = {name: part.running.pid for name, part in mesh.services.items()}
                addresses = [part.address for part in mesh.parts]
                assert all("told everything" in part.logs() for part in mesh.services.values())
                for file in files(mesh):
                    file.write_text("what a case left behind")
            async with pool.lease(topology) as again:
                assert again is mesh
                second = {name: part.running.pid for name, part in again.services.items()}
                assert [part.address for part in again.parts] == addresses
                assert second["fresh"] not in (None, first["fresh"])
                assert second["kept"] == first["kept"]
                assert again["kept"].logs() == ""
                assert [file.read_text() for file in files(again)] == [
                    "",
                    "what a case left behind",
                ]
        finally:
            await pool.close()

    runtime.run(work())


def test_the_harnesss_own_calls_are_no_connections_that_a_limit_counts(
    mesh_of: MeshOf, runtime: Runtime, folder: Path
) -> None:
    _descriptors(folder / "shop.binpb", name=1)
    mesh = mesh_of('  own: {python: "app.py:bare", protos: [shop.binpb]}\n')

    async def work() -> None:
        await mesh.start()
        called = await mesh["own"].client.call("shop.Catalogue/Get", {"name": "tea"})
        assert called.status == "OK"
        async with mesh.fault(connection_limit="own", connections=1):
            async with grpc.aio.insecure_channel(mesh["own"].address) as channel:
                assert (
                    await channel.unary_unary("/shop.Catalogue/Get")(b"tea", timeout=10) == b"tea"
                )

    runtime.run(work())


def test_a_service_that_runs_already_is_called_and_disturbed_but_never_ended(
    mesh_of: MeshOf, runtime: Runtime, folder: Path
) -> None:
    _descriptors(folder / "shop.binpb", name=1)
    owner = mesh_of('  own: {python: "app.py:bare"}\n')
    runtime.run(owner.start())
    topology = parse_topology(
        {
            "nodes": {"hub": None},
            "services": {
                "far": {"address": owner["own"].address, "protos": [str(folder / "shop.binpb")]}
            },
        }
    )
    plan = FaultPlan(nodes=frozenset({"far"}))
    with BlockingMesh.running(topology, runtime=runtime, plan=plan) as mesh:
        with mesh.fault(latency="far", delay=timedelta(milliseconds=30)):
            reply = mesh["far"].call("shop.Catalogue/Get", {"name": "tea"})
        assert reply.output == {"name": "tea"}
        assert reply.seconds >= 0.03
        with pytest.raises(InvalidInput, match="service 'far' cannot be killed"):
            mesh["far"].kill()
    assert owner["own"].alive


def test_a_service_that_nobody_runs_is_told(mesh_of: MeshOf, runtime: Runtime) -> None:
    mesh = mesh_of('  far: {address: "127.0.0.1:1", ready: {port: true, within: 50ms}}\n')
    with pytest.raises(TargetFailed, match=r"service 'far' at 127.0.0.1:1 is not ready .* running"):
        runtime.run(mesh.start())
