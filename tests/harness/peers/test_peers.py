"""Peers are real on the wire, as honest as they are told to be, and record what reaches them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.mesh import Mesh
from collector_harness.peers.values import ANSWER_FIELDS, OddAnswer, PlayedPeer
from collector_harness.runtime import Runtime
from collector_harness.targets import Target, parse_target
from collector_harness.topology.values import Link, Node, Topology
from collector_reference.wire import dispatcher_pb2, registry_pb2

REFERENCE = parse_target("reference")
PROCESS = parse_target("exec:{executable} -m collector_reference")
PROBE = "conformance.Probe"
SERVE = "collector.CollectiveDispatcher/Serve"
CONNECT = "collector.CollectiveDispatcher/Connect"
VALIDATE = "collector.CollectorRegistry/ValidateMethod"
BOTH = pytest.mark.parametrize("target", [REFERENCE, PROCESS], ids=["in process", "as process"])


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime() as running:
        yield running


@asynccontextmanager
async def running(
    target: Target = REFERENCE, *, registry: str | None = None, **parts: PlayedPeer
) -> AsyncIterator[Mesh]:
    """A collector under test called sut, linked to peers that share its namespace."""
    sut = Node(name="sut", namespaces=("shop",), probe=("shop",), registry=registry)
    peers = [
        Node(name=name, namespaces=("shop",), probe=("shop",), peer=part)
        for name, part in parts.items()
    ]
    links = [Link(source="sut", target=peer.name) for peer in peers if peer.name != registry]
    topology = Topology(nodes=(sut, *peers), links=tuple(links))
    async with Mesh(topology, target=target) as mesh:
        yield mesh


def calls(mesh: Mesh, peer: str, rpc: str) -> list[Mapping[str, Any]]:
    seen = mesh[peer].calls
    assert seen is not None
    return [call for call in seen if call["rpc"] == rpc]


def lying(**answers: OddAnswer) -> PlayedPeer:
    return PlayedPeer(answers=answers)


@BOTH
def test_an_honest_peer_executes_and_records_every_request(
    runtime: Runtime, target: Target
) -> None:
    async def check() -> None:
        async with running(target, spy=PlayedPeer()) as mesh:
            reply = await mesh["sut"].client.dispatch(
                "shop", PROBE, "Echo", {"sku": "A1"}, target="spy", timeout=3.0
            )
            assert (reply.handled_by, reply.output) == ("spy", {"sku": "A1"})
            (connect,) = calls(mesh, "spy", CONNECT)
            assert connect["request"]["collector_id"] == "sut"
            assert connect["request"]["namespaces"] == ["shop"]
            (serve,) = calls(mesh, "spy", SERVE)
            assert serve["request"]["method_name"] == "Echo"
            assert serve["request"]["service"]["service_name"] == PROBE
            assert serve["request"]["input"] == {"sku": "A1"}
            assert 0 < serve["deadline"] < 4
            assert not serve["cancelled"]
            assert "user-agent" in serve["metadata"]
            assert {call["rpc"] for call in mesh["spy"].calls or ()} == {CONNECT, SERVE}
            back = await mesh["spy"].client.dispatch("shop", PROBE, "WhoAmI", target="sut")
            assert back.output == "sut"

    runtime.run(check())


@BOTH
def test_a_silent_peer_is_never_connected_and_holds_nobody_up(
    runtime: Runtime, target: Target
) -> None:
    async def check() -> None:
        async with running(target, mute=PlayedPeer(silent=True), spy=PlayedPeer()) as mesh:
            assert len(calls(mesh, "mute", CONNECT)) == 1
            mute = await mesh["sut"].client.dispatch("shop", PROBE, "WhoAmI", target="mute")
            assert mute.status == "NOT_FOUND"
            spy = await mesh["sut"].client.dispatch("shop", PROBE, "WhoAmI", target="spy")
            assert spy.output == "spy"
            direct = await mesh["mute"].client.serve("shop", PROBE, "WhoAmI", timeout=0.2)
            assert direct.status == "DEADLINE_EXCEEDED"
            health = await mesh["mute"].client.health(timeout=0.2)
            assert health.status == "DEADLINE_EXCEEDED"

    runtime.run(check())


def test_a_slow_peer_answers_after_its_delay(runtime: Runtime) -> None:
    async def check() -> None:
        late = PlayedPeer(delay=timedelta(milliseconds=80))
        async with running(late=late) as mesh:
            reply = await mesh["sut"].client.dispatch("shop", PROBE, "WhoAmI", target="late")
            assert reply.output == "late"
            assert reply.seconds >= 0.08

    runtime.run(check())


@BOTH
def test_a_liar_answers_what_it_was_told_to(runtime: Runtime, target: Target) -> None:
    async def check() -> None:
        async with running(
            target,
            nowhere=lying(Serve=OddAnswer(response={"status": {"code": 404, "message": "no"}})),
            mute=lying(Serve=OddAnswer(patch={"status": None})),
            odd=lying(Serve=OddAnswer(patch={"status": {"code": 742}, "output": {"made": "up"}})),
            broken=lying(Serve=OddAnswer(grpc="DATA_LOSS", message="lost")),
        ) as mesh:

            async def ask(peer: str, method: str = "Count") -> Any:
                return await mesh["sut"].client.dispatch("shop", PROBE, method, "k", target=peer)

            assert (await ask("nowhere")).code == 404
            assert (await ask("mute")).status != "OK"
            assert (await ask("odd")).code == 742
            assert (await ask("broken")).status != "OK"
            assert await executions(mesh, "nowhere") == 0
            assert await executions(mesh, "odd") == 1

    async def executions(mesh: Mesh, peer: str) -> int:
        statistics = mesh[peer].statistics()
        assert statistics is not None
        return statistics.executions.get(f"shop/{PROBE}/Count", 0)

    runtime.run(check())


def test_after_its_times_a_liar_is_honest(runtime: Runtime) -> None:
    async def check() -> None:
        twice = OddAnswer(grpc="UNAVAILABLE", times=2)
        async with running(shy=lying(Connect=twice)) as mesh:
            async with asyncio.timeout(10):
                while True:
                    reply = await mesh["sut"].client.dispatch("shop", PROBE, "WhoAmI", target="shy")
                    if reply.ok:
                        break
                    await asyncio.sleep(0.01)
            assert len(calls(mesh, "shy", CONNECT)) == 3

    runtime.run(check())


@BOTH
def test_a_clash_of_connection_ids_reaches_the_collector_under_test(
    runtime: Runtime, target: Target
) -> None:
    async def check() -> None:
        clash = lying(Connect=OddAnswer(patch={"connection_id": "same"}))
        async with running(target, one=clash, other=clash) as mesh:
            for name in ("one", "other"):
                reply = await mesh[name].client.connect("x", "127.0.0.1:1", ["shop"])
                assert reply.response["connection_id"] == "same"  # type: ignore[index]
                async with asyncio.timeout(5):
                    while True:
                        there = await mesh["sut"].client.dispatch(
                            "shop", PROBE, "WhoAmI", target=name
                        )
                        if there.output == name:
                            break
                        await asyncio.sleep(0.01)

    runtime.run(check())


def test_a_peer_can_give_another_id(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(spy=PlayedPeer(collector_id="somebody")) as mesh:
            reply = await mesh["sut"].client.dispatch("shop", PROBE, "WhoAmI", target="somebody")
            assert reply.output == "somebody"

    runtime.run(check())


@BOTH
def test_a_peer_is_told_that_its_caller_gave_up(runtime: Runtime, target: Target) -> None:
    async def check() -> None:
        stuck = lying(Serve=OddAnswer(silent=True))
        async with running(target, stuck=stuck) as mesh:
            reply = await mesh["sut"].client.dispatch(
                "shop", PROBE, "WhoAmI", target="stuck", timeout=0.3
            )
            assert reply.status == "DEADLINE_EXCEEDED"
            async with asyncio.timeout(5):
                while not calls(mesh, "stuck", SERVE)[0]["cancelled"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)

    runtime.run(check())


@BOTH
def test_a_peer_is_a_registry_that_records_what_it_is_asked(
    runtime: Runtime, target: Target
) -> None:
    async def check() -> None:
        async with running(target, registry="records", records=PlayedPeer()) as mesh:
            before = len(calls(mesh, "records", VALIDATE))
            assert (await mesh["sut"].client.serve("shop", PROBE, "WhoAmI")).ok
            assert [call["request"] for call in calls(mesh, "records", VALIDATE)[before:]] == [
                {"namespace": "shop", "service_name": PROBE, "method_name": "WhoAmI"}
            ]
            await mesh.kill("records")
            reply = await mesh["sut"].client.serve("shop", PROBE, "Echo", timeout=8.0)
            assert reply.status not in ("OK", "NOT_FOUND")

    runtime.run(check())


def test_a_peer_that_was_killed_comes_back_on_its_address(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(spy=PlayedPeer()) as mesh:
            address = mesh["spy"].address
            async with mesh.fault(kill="spy"):
                reply = await mesh["sut"].client.dispatch("shop", PROBE, "WhoAmI", target="spy")
                assert reply.status == "UNAVAILABLE"
            assert mesh["spy"].address == address
            reply = await mesh["sut"].client.dispatch("shop", PROBE, "WhoAmI", target="spy")
            assert reply.output == "spy"

    runtime.run(check())


def test_a_mesh_with_peers_is_not_reset(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(spy=PlayedPeer()) as mesh:
            assert not await mesh.reset()

    runtime.run(check())


@pytest.mark.parametrize(
    ("rpc", "odd", "told"),
    [
        ("Serve", OddAnswer(response={"status": {"code": "many"}}), "cannot be made"),
        ("Serve", OddAnswer(patch={"nothing": 1}), "cannot be made"),
        ("Sing", OddAnswer(response={}), "no RPC 'Sing'"),
    ],
)
def test_answers_that_cannot_be_made_are_told_before_the_start(
    rpc: str, odd: OddAnswer, told: str
) -> None:
    topology = Topology(nodes=(Node(name="liar", peer=lying(**{rpc: odd})),))
    with pytest.raises(InvalidInput, match=told):
        Mesh(topology)


def test_the_fields_of_answers_are_those_of_the_protocol() -> None:
    for rpc, fields in ANSWER_FIELDS.items():
        module = dispatcher_pb2 if hasattr(dispatcher_pb2, f"{rpc}Response") else registry_pb2
        descriptor = getattr(module, f"{rpc}Response").DESCRIPTOR
        assert {field.name for field in descriptor.fields} == set(fields)
