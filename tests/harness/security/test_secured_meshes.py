"""Meshes whose nodes speak TLS and demand tokens: in this process and as processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collector_harness.certificates import Authority
from collector_harness.client import NodeClient
from collector_harness.client.credentials import ClientCredentials
from collector_harness.errors import EnvironmentLacks, InvalidInput, TargetFailed
from collector_harness.launchers.base import Launch
from collector_harness.launchers.contract import environment_for
from collector_harness.mesh import Mesh
from collector_harness.mesh.credentials import MeshCredentials
from collector_harness.mesh.folder import MeshFolder
from collector_harness.targets import parse_target
from collector_harness.topology.grammar import parse_topology
from collector_harness.topology.values import Link, Node, NodeTls, Topology
from collector_reference import Collector, CollectorSettings
from collector_reference.security.values import TlsSettings

EXEC = f"exec:{sys.executable} -m collector_reference"


def topology(text: str) -> Topology:
    return parse_topology(
        f"""
        defaults: {{namespaces: [shop], probe: [shop], {text}}}
        nodes: {{west: {{probe: []}}, east: }}
        links: [west -> east]
        """
    )


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())


@pytest.mark.parametrize("target", ["reference", EXEC], ids=["in process", "exec"])
@pytest.mark.parametrize(
    "security",
    ["tls: true", "tls: mutual", "token: true", "tls: mutual, token: true"],
)
def test_a_mesh_with_tls_and_tokens_routes_over_its_links(target, security):
    async def work():
        async with Mesh(topology(security), target=parse_target(target)) as mesh:
            reply = await mesh["west"].client.dispatch("shop", "conformance.Probe", "WhoAmI")
            assert (reply.status, reply.output) == ("OK", "east")
            back = await mesh["east"].client.dispatch(
                "shop", "conformance.Probe", "WhoAmI", target="west"
            )
            assert back.handled_by == "west"

    run(work)


@pytest.mark.parametrize("target", ["reference", EXEC], ids=["in process", "exec"])
def test_sec_001_a_node_with_tls_refuses_plaintext_and_the_reply_says_why(target):
    async def work():
        async with Mesh(topology("tls: true"), target=parse_target(target)) as mesh:
            async with NodeClient(mesh["west"].address) as stranger:
                reply = await stranger.list_services()
                assert reply.status == "UNAVAILABLE"
                assert reply.message.startswith("plaintext against TLS: it speaks TLS")

    run(work)


def test_a_client_with_tls_is_told_that_a_node_speaks_plaintext():
    async def work():
        async with Mesh(topology("token: true")) as mesh:
            credentials = ClientCredentials(tls=True)
            async with NodeClient(mesh["west"].address, credentials=credentials) as client:
                reply = await client.list_services()
                assert reply.message.startswith("TLS against plaintext: it speaks plaintext")

    run(work)


def test_sec_002_a_node_with_tokens_refuses_strangers_and_spoofed_ids():
    async def work():
        async with Mesh(topology("token: true")) as mesh:
            west = mesh["west"]
            async with NodeClient(west.address) as stranger:
                reply = await stranger.dispatch("shop", "conformance.Probe", "WhoAmI")
                assert (reply.status, reply.message) == (
                    "UNAUTHENTICATED",
                    "a bearer token is required",
                )
                assert (await stranger.health()).ok
            spoofed = await west.client.connect("east", "127.0.0.1:9", ["shop"])
            assert spoofed.status == "PERMISSION_DENIED"
            overridden = await west.client.dispatch(
                "shop", "conformance.Probe", "WhoAmI", metadata={"authorization": "Bearer x"}
            )
            assert overridden.status == "UNAUTHENTICATED"

    run(work)


def test_reflection_is_asked_with_the_token():
    async def work():
        async with Mesh(topology("token: true")) as mesh:
            with pytest.raises(InvalidInput, match="its methods are: ServerReflectionInfo"):
                await mesh["west"].client.call("grpc.reflection.v1.ServerReflection/Info")

    run(work)


def test_a_mesh_with_tls_is_reset_and_its_nodes_restart():
    async def work():
        async with Mesh(topology("tls: mutual, token: true")) as mesh:
            assert await mesh.reset()
            await mesh.kill("east")
            await mesh.restart("east")
            await mesh.restart("west")
            reply = await mesh["west"].client.dispatch("shop", "conformance.Probe", "WhoAmI")
            assert reply.handled_by == "east"

    run(work)


def test_what_was_made_for_a_mesh_is_gone_after_it():
    async def work():
        mesh = Mesh(topology("tls: true, token: true"))
        await mesh.start()
        folder = mesh._folder.place("")
        assert folder.stat().st_mode & 0o077 == 0
        assert (folder / "ca.pem").is_file()
        await mesh.stop()
        assert not folder.exists()

    run(work)


def files(folder: Path, authority: Authority) -> dict[str, Path]:
    pair = authority.issue("west")
    made = {"cert": pair.cert, "key": pair.key, "ca": authority.certificate}
    for name, content in made.items():
        (folder / f"{name}.pem").write_bytes(content)
    return {name: folder / f"{name}.pem" for name in made}


def test_files_are_found_from_the_folder_of_the_topology(tmp_path):
    given = files(tmp_path, Authority())
    path = tmp_path / "mesh.yaml"
    path.write_text(
        "nodes:\n  west:\n    tls: {cert: cert.pem, key: key.pem, ca: ca.pem, client_auth: true}\n"
    )
    made = parse_topology(path)
    assert made.node("west").tls == NodeTls(**given, client_auth=True)

    async def work():
        async with Mesh(made) as mesh:
            assert (await mesh["west"].client.list_services()).ok

    run(work)


def test_a_target_that_speaks_plaintext_where_tls_is_expected_is_told_as_that(tmp_path):
    async def work():
        async with Collector(CollectorSettings(collector_id="west")) as running:
            given = files(tmp_path, Authority())
            mesh = Mesh(
                Topology(nodes=(Node(name="west", tls=NodeTls(**given)),)),
                target=parse_target(f"attach:{running.address}"),
                ready_limit=timedelta(milliseconds=200),
            )
            with pytest.raises(TargetFailed, match="TLS against plaintext: it speaks plaintext"):
                await mesh.start()

    run(work)


def test_a_running_collector_with_tls_is_attached_by_its_ca(tmp_path):
    async def work():
        given = files(tmp_path, Authority())
        settings = CollectorSettings(
            collector_id="west",
            probe=("shop",),
            tls=TlsSettings(cert=given["cert"], key=given["key"]),
        )
        async with Collector(settings) as running:
            one = Topology(nodes=(Node(name="west", tls=NodeTls(**given)),))
            async with Mesh(one, target=parse_target(f"attach:{running.address}")) as mesh:
                reply = await mesh["west"].client.serve("shop", "conformance.Probe", "WhoAmI")
                assert reply.output == "west"

    run(work)


def test_a_process_is_told_by_the_launch_contract():
    folder = MeshFolder()
    credentials = MeshCredentials(folder, str)
    node = Node(name="west", tls=NodeTls(client_auth=True), token=True)
    try:
        environment = environment_for(
            Launch(node=node, security=credentials.of(node)),
            advertise="127.0.0.1:1",
            base={},
            marker="m",
        )
        settings = CollectorSettings.from_environment(environment)
        assert settings.tls is not None
        assert settings.tls.client_auth
        assert settings.tokens is not None
        assert settings.own_token is not None
        for path in (
            settings.tls.cert,
            settings.tls.key,
            settings.tls.ca,
            *settings.tokens.keys,
            settings.own_token.file,
        ):
            assert path is not None
            assert path.is_file()
    finally:
        folder.remove()


def test_a_token_is_not_shown_with_the_credentials():
    assert "secret" not in repr(ClientCredentials(token="secret"))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("tls: maybe", "'maybe' is not how a node speaks TLS"),
        ("tls: {}", "a certificate needs `cert` and `key`"),
        ("tls: {cert: a.pem}", "a certificate needs `cert` and `key`"),
        ("tls: {generate: true, cert: a.pem}", "either given or generated"),
        ("tls: {cert: a, key: b, client_auth: true}", "needs a `ca`"),
        ("tls: {cert: nowhere.pem, key: b.pem}", "there is no file 'nowhere.pem'"),
        ("tls: {certificate: a}", "certificate"),
        ("token: 7", "token"),
    ],
)
def test_what_cannot_be_is_refused_at_its_line(written, told):
    with pytest.raises(InvalidInput, match=told):
        parse_topology(f"nodes:\n  west:\n    {written}\n")


def test_a_nodes_own_word_on_tls_wins_over_the_defaults():
    made = parse_topology(
        """
        defaults: {tls: mutual, token: true}
        nodes: {west: , east: {tls: false, token: false}, north: {tls: true, token: abc}}
        """
    )
    assert made.node("west").tls == NodeTls(client_auth=True)
    assert made.node("west").token is True
    assert (made.node("east").tls, made.node("east").token) == (None, None)
    assert (made.node("north").tls, made.node("north").token) == (NodeTls(), "abc")


def test_a_link_between_tls_and_plaintext_is_refused():
    with pytest.raises(InvalidInput, match="joins a node with TLS and one without"):
        Topology(
            nodes=(Node(name="west", tls=NodeTls()), Node(name="east")),
            links=(Link(source="west", target="east"),),
        )


@pytest.mark.parametrize(
    ("missing", "security", "extra"),
    [("cryptography", "tls: true", "certificates"), ("jwt", "token: true", "jwt")],
)
def test_a_missing_extra_is_named(monkeypatch, missing, security, extra):
    monkeypatch.setitem(sys.modules, missing, None)

    async def work():
        with pytest.raises(EnvironmentLacks, match=rf"pip install 'collector-harness\[{extra}\]'"):
            await Mesh(topology(security)).start()

    run(work)


def test_files_that_do_not_fit_are_told_with_the_node(tmp_path):
    given = files(tmp_path, Authority())
    given["ca"].write_bytes(Authority("another").certificate)

    async def work():
        with pytest.raises(InvalidInput, match="node 'west' cannot be started: the certificate"):
            await Mesh(Topology(nodes=(Node(name="west", tls=NodeTls(**given)),))).start()

    run(work)
