"""What nodes may say of themselves: where they run already, where they keep what is registered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from collector_harness.blocking import BlockingMesh
from collector_harness.errors import InvalidInput
from collector_harness.mesh import Mesh
from collector_harness.runtime import Runtime
from collector_harness.topology import parse_topology

MeshOf = Callable[..., Mesh]
PROCESS = "collector: 'exec:{executable} -m collector_reference', "


@pytest.mark.parametrize("kind", ["", PROCESS], ids=["in process", "exec"])
def test_a_node_with_a_store_remembers_over_a_restart(runtime: Runtime, kind: str) -> None:
    text = f"nodes: {{hub: {{{kind}namespaces: [shop], store: 'sqlite:hub.db'}}}}"
    with BlockingMesh.running(parse_topology(text), runtime=runtime) as mesh:
        assert mesh["hub"].register_service("shop", "Cart", ["Add"]).ok
        mesh["hub"].restart()
        reply = mesh["hub"].validate("shop", "Cart", "Add")
        assert isinstance(reply.response, dict)
        assert reply.response["is_valid"] is True


def test_nodes_that_run_already_are_part_of_a_mesh(runtime: Runtime) -> None:
    owned = "nodes: {a: {namespaces: [shop], probe: [shop]}, b: {namespaces: [shop]}}"
    with BlockingMesh.running(parse_topology(owned), runtime=runtime) as owner:
        text = f"""
            nodes:
              hub: {{namespaces: [shop]}}
              a: {{address: "{owner["a"].address}", namespaces: [shop]}}
              b: {{address: "{owner["b"].address}", namespaces: [shop], logs: false}}
            links: [hub -> a, hub -> b]
        """
        with BlockingMesh.running(parse_topology(text), runtime=runtime) as mesh:
            reply = mesh["hub"].dispatch("shop", "conformance.Probe", "WhoAmI", target="a")
            assert reply.handled_by == "a"
        assert owner["a"].alive


def test_a_proto_file_is_compiled_with_its_imports(
    mesh_of: MeshOf, runtime: Runtime, folder: Path
) -> None:
    pytest.importorskip("grpc_tools")
    (folder / "money.proto").write_text(
        'syntax = "proto3"; package shop; message Money { int64 cents = 1; }'
    )
    (folder / "shop.proto").write_text(
        'syntax = "proto3"; package shop; import "money.proto"; '
        "message Product { Money price = 1; } "
        "service Catalogue { rpc Get(Product) returns (Product); }"
    )
    mesh = mesh_of('shop: {python: "app.py:bare", protos: [shop.proto]}\n')
    runtime.run(mesh.start())
    reply = BlockingMesh(mesh, runtime)["shop"].call(
        "shop.Catalogue/Get", {"price": {"cents": "7"}}
    )
    assert reply.output == {"price": {"cents": 7}}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("bad.binpb", b"\xff\xff", "bad.binpb: is no descriptor set"),
        ("bad.proto", b'syntax = "proto3"; message A { Nope x = 1; }', '"Nope" is not defined'),
    ],
)
def test_descriptors_that_cannot_be_used_are_told(
    mesh_of: MeshOf, runtime: Runtime, folder: Path, name: str, content: bytes, told: str
) -> None:
    if name.endswith(".proto"):
        pytest.importorskip("grpc_tools")
    (folder / name).write_bytes(content)
    mesh = mesh_of(f'shop: {{python: "app.py:bare", protos: [{name}]}}\n')
    with pytest.raises(InvalidInput, match=told):
        runtime.run(mesh.start())


def test_an_asgi_app_is_served(mesh_of: MeshOf, runtime: Runtime, folder: Path) -> None:
    pytest.importorskip("uvicorn")
    (folder / "web.py").write_text(
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http', scope\n"
        "    status = 204 if scope['path'] == '/ready' else 500\n"
        "    await send({'type': 'http.response.start', 'status': status, 'headers': []})\n"
        "    await send({'type': 'http.response.body'})\n"
    )
    mesh = mesh_of('web: {python: "web.py:app", protocol: http, ready: {http: /ready}}\n')
    runtime.run(mesh.start())
    assert mesh["web"].url == f"http://{mesh['web'].address}"


def test_a_name_that_nothing_has_is_told_once_with_what_was_meant(
    mesh_of: MeshOf, runtime: Runtime
) -> None:
    mesh = mesh_of('alpha: {python: "app.py:told"}\n')
    with pytest.raises(InvalidInput) as raised:
        BlockingMesh(mesh, runtime)["alhpa"]
    assert str(raised.value) == "there is no node 'alhpa'\nhint: did you mean 'alpha'?"


def test_a_shape_alone_is_refused_with_the_right_spelling() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_topology("star:3")
    assert str(raised.value) == "'star:3' is not a topology\nhint: write: 'shape: {star: 3}'"
