"""A fault is in force while its block is under way, and healed when it is left, however that is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from collector_harness.blocking import BlockingMesh
from collector_harness.client import Reply
from collector_harness.errors import InvalidInput
from collector_harness.faults.plan import NO_FAULTS, FaultPlan
from collector_harness.faults.values import RpcFault
from collector_harness.mesh import Mesh
from collector_harness.runtime import Runtime
from collector_harness.targets import Target, parse_target
from collector_harness.topology import Topology, parse_topology
from collector_harness.topology.values import Link

REFERENCE = parse_target("reference")
PROCESS = parse_target("exec:{executable} -m collector_reference")
PYTHON = parse_target("python:collector_reference:Collector")
PROBE = "conformance.Probe"
SHOP = parse_topology(
    """
    defaults: {namespaces: [shop]}
    nodes: {hub: {}, a: {probe: [shop]}, b: {probe: [shop]}}
    links: [a -> hub, b -> hub]
    """
)
BROKEN = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL")


@asynccontextmanager
async def running(
    topology: Topology = SHOP, target: Target = REFERENCE, plan: FaultPlan | None = None
) -> AsyncIterator[Mesh]:
    plan = FaultPlan.everything(topology) if plan is None else plan
    async with Mesh(topology, target=target, plan=plan, seed=3) as mesh:
        yield mesh


async def who(mesh: Mesh, target: str = "", within: float = 5.0) -> Reply:
    return await mesh["hub"].client.dispatch("shop", PROBE, "WhoAmI", target=target, timeout=within)


async def is_broken(mesh: Mesh, fault: dict[str, Any]) -> bool:
    """Whether node a cannot be asked; where bytes are changed, that anything comes back as it was:
    a changed byte of a short call may be one that does not matter, or make another call of it.
    """
    if "corrupt" not in fault:
        return (await who(mesh, "a", within=0.3)).status in BROKEN
    sent = bytes(range(256)) * 400
    reply = await mesh["hub"].client.dispatch("shop", PROBE, "Echo", sent, target="a", timeout=2)
    return reply.output != sent


FAULTS: dict[str, dict[str, Any]] = {
    "kill": {"kill": "a"},
    "pause": {"pause": "a"},
    "partition": {"partition": [["hub", "b"], ["a"]]},
    "reset": {"reset": "a"},
    "blackhole": {"blackhole": "a"},
    "blackhole of a link, one way": {"blackhole": "hub -> a", "direction": "forth"},
    "blackhole of a link, the way back": {"blackhole": "hub -> a", "direction": "back"},
    "half open": {"half_open": "a"},
    "half open link": {"half_open": "a -> hub", "direction": "back"},
    "corrupt": {"corrupt": "a"},
}


@pytest.mark.parametrize("target", [REFERENCE, PROCESS], ids=["in process", "processes"])
def test_each_fault_breaks_what_it_names_and_nothing_else_and_is_healed(
    runtime: Runtime, target: Target
) -> None:
    async def check() -> None:
        async with running(target=target) as mesh:
            addresses = {node.name: node.address for node in mesh}
            for name, fault in FAULTS.items():
                async with mesh.fault(**fault):
                    assert await is_broken(mesh, fault), name
                    assert (await who(mesh, "b")).output == "b", name
                healed = await who(mesh, "a")
                assert healed.output == "a", (name, healed)
            assert {node.name: node.address for node in mesh} == addresses
            assert mesh.failures() == ()

    runtime.run(check())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_block_that_fails_leaves_nothing_broken(runtime: Runtime, fault: str) -> None:
    async def check() -> None:
        async with running() as mesh:

            async def block() -> None:
                async with mesh.fault(**FAULTS[fault]):
                    assert await is_broken(mesh, FAULTS[fault])
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await block()
            assert (await who(mesh, "a")).output == "a"

    runtime.run(check())


@pytest.mark.parametrize("fault", ["kill", "pause", "blackhole"])
def test_a_cancelled_block_is_healed_before_it_ends(runtime: Runtime, fault: str) -> None:
    async def check() -> None:
        async with running() as mesh:
            broken = asyncio.Event()

            async def block() -> None:
                async with mesh.fault(**FAULTS[fault]):
                    broken.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(block())
            await broken.wait()
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()  # also while it is being healed
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await who(mesh, "a")).output == "a"

    runtime.run(check())


@pytest.mark.parametrize("target", [REFERENCE, PYTHON, PROCESS], ids=str)
def test_latency_is_that_of_its_direction(runtime: Runtime, target: Target) -> None:
    async def check() -> None:
        async with running(target=target) as mesh:
            late = timedelta(milliseconds=300)
            async with mesh.fault(latency="hub -> a", delay=late, direction="forth"):
                assert (await who(mesh, "a")).seconds >= 0.3
                assert (await who(mesh, "b")).seconds < 0.3
            async with mesh.fault(latency="a", delay=late):
                assert (await who(mesh, "a")).seconds >= 0.6
            assert (await who(mesh, "a")).seconds < 0.3

    runtime.run(check())


def test_a_paused_node_answers_the_same_call_when_it_goes_on(runtime: Runtime) -> None:
    async def check() -> None:
        async with running() as mesh:
            async with mesh.fault(pause="a"):
                call = asyncio.create_task(who(mesh, "a"))
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await asyncio.shield(call)
            assert (await call).output == "a"

    runtime.run(check())


@pytest.mark.parametrize("target", [REFERENCE, PROCESS], ids=["in process", "processes"])
def test_a_node_comes_back_at_its_address_or_at_another(runtime: Runtime, target: Target) -> None:
    async def check() -> None:
        async with running(target=target) as mesh:
            before = mesh["hub"].address
            async with mesh.fault(restart="hub"):
                assert mesh["hub"].address == before
                assert {(await who(mesh, name)).output for name in "ab"} == {"a", "b"}
            async with mesh.fault(restart="hub", moved=True):
                assert mesh["hub"].address != before
                assert {(await who(mesh, name)).output for name in "ab"} == {"a", "b"}
            assert mesh["hub"].address != before

    runtime.run(check())


def test_faults_can_be_inside_each_other(runtime: Runtime) -> None:
    async def check() -> None:
        async with running() as mesh:
            async with mesh.fault(pause="b"), mesh.fault(blackhole="a"):
                assert (await who(mesh, within=0.3)).status == "DEADLINE_EXCEEDED"
            async with mesh.fault(blackhole="a"):
                async with mesh.fault(blackhole="a"):
                    pass
                assert (await who(mesh, "a", within=0.2)).status == "DEADLINE_EXCEEDED"
            assert (await who(mesh, "a")).output == "a"

    runtime.run(check())


def test_a_mesh_is_reset_after_its_links_were_broken(runtime: Runtime) -> None:
    async def check() -> None:
        async with running() as mesh:
            for fault in ("blackhole", "partition", "reset", "half open link"):
                async with mesh.fault(**FAULTS[fault]):
                    await who(mesh, "a", within=0.2)
                assert await mesh.reset(), fault
                assert (await who(mesh, "a")).output == "a"
            async with mesh.fault(kill="a"):
                pass
            assert not await mesh.reset()

    runtime.run(check())


# gRPC faults


def _serve(**what: Any) -> RpcFault:
    return RpcFault(node="a", rpc="collector.CollectiveDispatcher/Serve", **what)


def test_an_rpc_fails_or_is_late_by_its_name(runtime: Runtime) -> None:
    async def check() -> None:
        plan = FaultPlan(rpcs=frozenset({"a"}))
        async with running(plan=plan) as mesh:
            async with mesh.fault(_serve(status="RESOURCE_EXHAUSTED", message="full")):
                reply = await mesh["a"].client.serve("shop", PROBE, "WhoAmI")
                assert (reply.status, reply.message) == ("RESOURCE_EXHAUSTED", "full")
                assert (await mesh["a"].client.list_services("shop")).ok
            statistics = mesh["a"].statistics()
            assert statistics is not None
            assert statistics.executions == {}
            late = timedelta(milliseconds=300)
            async with mesh.fault(RpcFault(node="a", rpc="grpc.health.v1.Health/*", delay=late)):
                assert (await mesh["a"].client.health()).seconds >= 0.3
                assert (await mesh["a"].client.serve("shop", PROBE, "WhoAmI")).seconds < 0.3
            assert (await mesh["a"].client.serve("shop", PROBE, "WhoAmI")).ok

    runtime.run(check())


def test_a_stream_breaks_after_so_many_messages(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(plan=FaultPlan(rpcs=frozenset({"a"}))) as mesh:

            async def stream() -> Reply:
                return await mesh["a"].client.call_raw(
                    "conformance.Port/Stream", b"", streaming=True
                )

            assert (await stream()).ok
            fault = RpcFault(node="a", rpc="conformance.Port/Stream", drop_after=2)
            async with mesh.fault(fault):
                assert (await stream()).status == "UNAVAILABLE"
            assert (await stream()).ok

    runtime.run(check())


def test_a_stream_that_has_nothing_more_to_say_breaks_too(runtime: Runtime) -> None:
    """The health that is watched writes its messages itself, and the first may be the last."""

    async def check() -> None:
        async with running(plan=FaultPlan(rpcs=frozenset({"a"}))) as mesh:
            fault = RpcFault(node="a", rpc="grpc.health.v1.Health/Watch", drop_after=1)
            async with mesh.fault(fault):
                call = await mesh["a"].client.open_stream("grpc.health.v1.Health/Watch", timeout=60)
                await call.send({"service": ""})
                assert await call.receive()
                reply = await call.finish()
            assert reply.status == "UNAVAILABLE"
            assert call.messages == [{"status": "SERVING"}]

    runtime.run(check())


def test_what_reaches_a_node_is_limited_together_through_whichever_door(runtime: Runtime) -> None:
    """A link that can be broken alone has a door of its own."""

    async def check() -> None:
        async with running() as mesh:
            front = mesh.doors.front("a")
            before = sum(door.connections for door in front.of_others())
            assert before >= 1, "the hub's; those of the harness count nowhere"
            async with mesh.fault(connection_limit="a", connections=before):
                host, port = mesh["a"].address.rsplit(":", 1)
                reader, writer = await asyncio.open_connection(host, int(port))
                try:
                    async with asyncio.timeout(10):
                        with suppress(ConnectionError):
                            assert await reader.read() == b""
                finally:
                    writer.transport.abort()
                assert (await who(mesh, "a")).handled_by == "a"

    runtime.run(check())


def test_rpcs_fail_only_where_a_reference_node_is_in_this_process() -> None:
    plan = FaultPlan(rpcs=frozenset({"a"}))
    for target in (PROCESS, PYTHON):
        with pytest.raises(InvalidInput, match="needs a reference node in process"):
            Mesh(SHOP, target=target, plan=plan)


# What cannot be done


def test_a_mesh_without_doors_says_how_to_get_them(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(plan=NO_FAULTS) as mesh:
            for place in ("a -> hub", "a"):
                with pytest.raises(InvalidInput, match="plan for faults"):
                    async with mesh.fault(blackhole=place):
                        pass
            with pytest.raises(InvalidInput, match="plan for it"):
                async with mesh.fault(grpc="a.B/C", node="a", status="INTERNAL"):
                    pass
            async with mesh.fault(kill="a"):
                assert (await who(mesh, "a")).status == "UNAVAILABLE"
            assert (await who(mesh, "a")).output == "a"

    runtime.run(check())


def test_only_what_a_plan_names_has_doors(runtime: Runtime) -> None:
    async def check() -> None:
        link = Link(source="a", target="hub")
        async with running(plan=FaultPlan(links=frozenset({link}))) as mesh:
            assert mesh["b"].running.front is None
            async with mesh.fault(blackhole="hub -> a"):
                assert (await who(mesh, "a", within=0.2)).status == "DEADLINE_EXCEEDED"
            with pytest.raises(InvalidInput, match="link 'b -> hub' cannot be disturbed"):
                async with mesh.fault(blackhole="hub -> b"):
                    pass

    runtime.run(check())


def test_one_of_several_links_that_a_process_asked_for_is_refused(runtime: Runtime) -> None:
    topology = parse_topology(
        "{nodes: {hub: {}, a: {}, b: {}}, links: [hub -> a, hub -> b],"
        " defaults: {namespaces: [shop], probe: [shop]}}"
    )

    async def check() -> None:
        async with running(topology, PROCESS) as mesh:
            with pytest.raises(InvalidInput, match="tells all its peers one address") as caught:
                async with mesh.fault(blackhole="hub -> a"):
                    pass
            assert "turn it round: a -> hub" in str(caught.value)
            async with mesh.fault(partition=[["hub"], ["a", "b"]]):
                for name in "ab":
                    reply = await mesh["hub"].client.dispatch(
                        "shop", PROBE, "WhoAmI", target=name, timeout=0.2
                    )
                    assert reply.status in BROKEN
            assert (await who(mesh, "a")).output == "a"

    runtime.run(check())


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({}, "exactly one thing"),
        ({"kill": "a", "pause": "b"}, "exactly one thing"),
        ({"kill": "a", "delay": timedelta(seconds=1)}, "'kill' cannot be used so"),
        ({"kill": "nobody"}, "no node 'nobody'"),
        ({"blackhole": "a -> b"}, "no link between 'a' and 'b'"),
        ({"partition": [["a", "b"], ["a"]]}, "in two groups"),
    ],
)
def test_what_is_no_fault_is_told(runtime: Runtime, fault: dict[str, Any], told: str) -> None:
    async def check() -> None:
        async with running() as mesh:
            with pytest.raises(InvalidInput, match=told):
                async with mesh.fault(**fault):
                    pass
            assert (await who(mesh, "a")).output == "a"

    runtime.run(check())


# In plain tests


def test_a_plain_test_breaks_a_mesh_by_a_with_statement() -> None:
    with BlockingMesh.running(SHOP, plan=FaultPlan.everything(SHOP)) as mesh:
        with mesh.fault(kill="a"):
            assert not mesh["a"].alive
            assert mesh["hub"].dispatch("shop", PROBE, "WhoAmI").output == "b"
        assert mesh["hub"].dispatch("shop", PROBE, "WhoAmI", target="a").output == "a"

        def late() -> None:
            with mesh.fault(latency="hub -> a", delay=timedelta(milliseconds=150)):
                reply = mesh["hub"].dispatch("shop", PROBE, "WhoAmI", target="a")
                assert reply.seconds >= 0.3
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            late()
        assert mesh["hub"].dispatch("shop", PROBE, "WhoAmI", target="a").seconds < 0.3
