"""A forked reference collector is launched, heard, disturbed and ended as an executed one is."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from collector_harness.errors import TargetFailed
from collector_harness.launchers.base import Launch
from collector_harness.launchers.forkserver import ForkServer, the_forkserver
from collector_harness.launchers.process import ProcessNode
from collector_harness.mesh import Mesh
from collector_harness.runtime import Runtime
from collector_harness.targets import REFERENCE_PROCESS
from collector_harness.topology import parse_topology
from collector_harness.topology.values import Node

ENVIRONMENT = {**os.environ, "COLLECTOR_ID": "west", "COLLECTOR_LISTEN": "127.0.0.1:0"}


@pytest.fixture
def server() -> Iterator[ForkServer]:
    forkserver = ForkServer()
    yield forkserver
    forkserver.close()


@asynccontextmanager
async def running(launch: Launch) -> AsyncIterator[ProcessNode]:
    node = ProcessNode(launch.node.name, REFERENCE_PROCESS)
    await node.open()
    try:
        await node.start(launch)
        yield node
    finally:
        await node.stop(timedelta(seconds=5))


async def health(address: str, *, seconds: float = 5) -> int:
    async with grpc.aio.insecure_channel(address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=seconds
        )
        status: int = answer.status
        return status


def test_it_is_a_fork_that_serves_and_ends_gracefully(runtime: Runtime, launch: Launch) -> None:
    async def check() -> None:
        async with running(launch) as node:
            assert node.pid is not None
            process = psutil.Process(node.pid)
            assert process.ppid() == the_forkserver().pid
            assert os.getpgid(node.pid) == node.pid
            assert await health(node.address) == health_pb2.HealthCheckResponse.SERVING
            assert "collector listening on 127.0.0.1:" in node.logs()
            assert "collector 'west' is starting" in node.logs()
            assert await node.end(timedelta(seconds=5)) == 0
            assert not psutil.pid_exists(process.pid)

    runtime.run(check())


def test_it_is_paused_resumed_killed_and_started_again(runtime: Runtime, launch: Launch) -> None:
    async def check() -> None:
        async with running(launch) as node:
            first, address = node.pid, node.address
            await node.pause()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await health(address, seconds=0.3)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            await node.resume()
            assert await health(address) == health_pb2.HealthCheckResponse.SERVING
            await node.kill()
            assert not node.alive
            assert node.failure is None
            await node.start(launch)
            assert node.address == address
            assert node.pid != first
            assert await health(address) == health_pb2.HealthCheckResponse.SERVING

    runtime.run(check())


def test_one_that_dies_alone_is_told_of(runtime: Runtime, launch: Launch) -> None:
    async def check() -> None:
        async with running(launch) as node:
            assert node.pid is not None
            os.kill(node.pid, signal.SIGSEGV)
            async with asyncio.timeout(5):
                while node.failure is None:  # noqa: ASYNC110 - what is awaited has no event
                    await asyncio.sleep(0.01)
            assert "was ended by SIGSEGV" in str(node.failure)

    runtime.run(check())


def test_a_setting_that_cannot_be_used_is_told_with_its_status(runtime: Runtime) -> None:
    async def check() -> None:
        wrong = Node(name="west", environment=(("COLLECTOR_GRACE", "soon"),))
        with pytest.raises(TargetFailed) as caught:
            async with running(Launch(node=wrong)):
                pass
        assert "exited with status 2" in str(caught.value)
        assert "COLLECTOR_GRACE" in (caught.value.log_tail or "")

    runtime.run(check())


def test_what_only_an_interpreter_reads_at_its_start_makes_it_start_anew(
    runtime: Runtime, launch: Launch
) -> None:
    async def check() -> None:
        node = Node(name="west", environment=(("PYTHONHASHSEED", "7"),))
        async with running(launch), running(Launch(node=node)) as executed:
            assert executed.pid is not None
            process = psutil.Process(executed.pid)
            assert process.ppid() == os.getpid()
            assert process.environ()["PYTHONHASHSEED"] == "7"

    runtime.run(check())


def test_it_begins_anew_with_the_debug_log_of_grpc(runtime: Runtime) -> None:
    async def check() -> None:
        node = Node(name="west", environment=(("COLLECTOR_GRPC_DEBUG", "http"),))
        async with running(Launch(node=node)) as debugged:
            assert debugged.pid is not None
            process = psutil.Process(debugged.pid)
            assert process.environ()["GRPC_TRACE"] == "http"
            assert process.cmdline()[1:] == ["-m", "collector_reference"]

    runtime.run(check())


def test_forks_route_to_each_other_and_have_ids_of_their_own(runtime: Runtime) -> None:
    topology = parse_topology(
        """
        defaults: {namespaces: [shop], collector: "process:reference"}
        nodes: {a: {}, b: {probe: [shop]}, c: {probe: [shop]}}
        links: [a -> b, a -> c]
        """
    )

    async def check() -> None:
        mesh = Mesh(topology)
        await mesh.start()
        try:
            replies = [
                await mesh["a"].client.dispatch("shop", "conformance.Probe", "WhoAmI")
                for _ in range(4)
            ]
            assert {reply.output for reply in replies} == {"b", "c"}
            made = [
                await mesh[to].client.connect("x", "127.0.0.1:1", ["shop"]) for to in ("b", "c")
            ]
            assert len({reply.response["connection_id"] for reply in made}) == 2  # type: ignore[index] # the whole response
        finally:
            await mesh.stop()

    runtime.run(check())


def test_the_forkserver_has_one_thread_and_nothing_of_grpc_in_use(
    runtime: Runtime, server: ForkServer
) -> None:
    async def check() -> None:
        forked = await server.fork(ENVIRONMENT)
        assert server.pid is not None
        parent = psutil.Process(server.pid)
        assert parent.num_threads() == 1
        assert parent.net_connections("inet") == []
        fork = psutil.Process(forked.pid)
        assert b"collector listening on" in await asyncio.to_thread(forked.stdout.readline)
        held = {link.split(":")[0] for link in _descriptors(fork.pid)}
        assert "/dev/null" in held
        # Of its own, it holds nothing of the forkserver's or of another fork.
        other = await server.fork(ENVIRONMENT)
        assert b"collector listening on" in await asyncio.to_thread(other.stdout.readline)
        assert _sockets(other.pid).isdisjoint(_sockets(parent.pid))
        other.abandon()
        forked.abandon()
        await asyncio.to_thread(psutil.wait_procs, [fork], timeout=5)
        assert not fork.is_running()

    runtime.run(check())


def test_what_was_forked_ends_with_the_harness(tmp_path: Path) -> None:
    source = """
import asyncio, os, sys
from collector_harness.launchers.forkserver import the_forkserver
async def main():
    forked = await the_forkserver().fork(dict(os.environ))
    print(the_forkserver().pid, forked.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as harness:
        assert harness.stdout is not None
        left = [psutil.Process(int(pid)) for pid in harness.stdout.readline().split()]
        assert [process.is_running() for process in left] == [True, True]
        harness.kill()
        gone, _ = psutil.wait_procs(left, timeout=10)
        assert len(gone) == 2


def test_a_forkserver_that_was_killed_is_replaced(runtime: Runtime, server: ForkServer) -> None:
    async def check() -> None:
        first = await server.fork(ENVIRONMENT)
        assert server.pid is not None
        before = server.pid
        os.kill(before, signal.SIGKILL)
        # Nobody could tell of its end any more.
        await asyncio.to_thread(first.await_end)
        assert first.reap() == -signal.SIGKILL
        first.abandon()
        second = await server.fork(ENVIRONMENT)
        assert server.pid != before
        second.abandon()

    runtime.run(check())


def test_a_forkserver_that_is_ending_as_it_is_asked_is_replaced(
    runtime: Runtime, server: ForkServer
) -> None:
    async def check() -> None:
        (await server.fork(ENVIRONMENT)).abandon()
        for _ in range(5):
            assert server.pid is not None
            before = server.pid
            os.kill(before, signal.SIGKILL)
            forked = await server.fork(ENVIRONMENT)
            assert server.pid != before
            forked.abandon()

    runtime.run(check())


def test_a_launch_that_is_given_up_leaves_no_process(runtime: Runtime, server: ForkServer) -> None:
    async def check() -> None:
        kept = await server.fork(ENVIRONMENT)
        assert server.pid is not None
        parent = psutil.Process(server.pid)
        launching = asyncio.create_task(server.fork(ENVIRONMENT))
        await asyncio.sleep(0)
        launching.cancel()
        await asyncio.gather(launching, return_exceptions=True)
        assert launching.cancelled()
        async with asyncio.timeout(5):
            while _forking() or [each.pid for each in parent.children()] != [kept.pid]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        kept.abandon()

    runtime.run(check())


def _forking() -> bool:
    return any(thread.name == "collector-harness-fork" for thread in threading.enumerate())


def _descriptors(pid: int) -> list[str]:
    folder = Path(f"/proc/{pid}/fd")
    return [str(entry.readlink()) for entry in folder.iterdir() if entry.is_symlink()]


def _sockets(pid: int) -> set[str]:
    return {link for link in _descriptors(pid) if link.startswith("socket:")}
