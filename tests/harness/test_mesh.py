"""A topology starts, carries calls, is broken, heals, and leaves nothing behind, in process and
as processes alike."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from collector_harness.errors import EnvironmentLacks, HarnessError, InvalidInput, TargetFailed
from collector_harness.events import Event, MeshStarted, MeshStopped
from collector_harness.mesh import Mesh
from collector_harness.mesh.descriptors import descriptors_needed
from collector_harness.mesh.order import start_order
from collector_harness.runtime import Runtime
from collector_harness.targets import Target, parse_target
from collector_harness.topology import shapes
from collector_harness.topology.values import Link, Node, Served, Topology
from collector_reference import Collector, CollectorSettings

REFERENCE = parse_target("reference")
PROCESS = parse_target("exec:{executable} -m collector_reference")
PYTHON = parse_target("python:collector_reference:Collector")
PROBE = "conformance.Probe"


class Counter:
    """Counts per instance; a class is made anew for each start and each reset."""

    def __init__(self) -> None:
        self.count = 0

    async def Next(self, input: object, context: object) -> int:
        self.count += 1
        return self.count

    def Plain(self, input: object, context: object) -> str:
        return threading.current_thread().name


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime() as running:
        yield running


@asynccontextmanager
async def running(
    topology: Topology, target: Target = REFERENCE, **options: object
) -> AsyncIterator[Mesh]:
    mesh = Mesh(topology, target=target, **options)  # type: ignore[arg-type]
    await mesh.start()
    try:
        yield mesh
    finally:
        await mesh.stop()


def nodes(*names: str, **fields: object) -> tuple[Node, ...]:
    return tuple(Node(name=name, **fields) for name in names)  # type: ignore[arg-type]


def link(source: str, target: str) -> Link:
    return Link(source=source, target=target)


PAIR = Topology(
    nodes=nodes("west", "east", namespaces=("a",), probe=("a",)), links=(link("west", "east"),)
)


async def who(mesh: Mesh, via: str, target: str) -> object:
    reply = await mesh[via].client.dispatch("a", PROBE, "WhoAmI", target=target)
    return reply.output if reply.ok else reply.status


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.01)


def can_be_dialled(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


# Up and down


@pytest.mark.parametrize("target", [REFERENCE, PROCESS, PYTHON], ids=str)
def test_every_link_carries_calls_both_ways(runtime: Runtime, target: Target) -> None:
    async def check() -> list[str]:
        topology = shapes.chain(3, namespaces=["a"], probe=["a"])
        async with running(topology, target) as mesh:
            for one, other in (("n1", "n2"), ("n2", "n3")):
                assert await who(mesh, one, other) == other
                assert await who(mesh, other, one) == one
            # One hop, no transitive routes (LOOP-008).
            assert await who(mesh, "n1", "n3") == "NOT_FOUND"
            return [node.address for node in mesh]

    for address in runtime.run(check()):
        assert not can_be_dialled(address)


def test_targets_may_be_mixed(runtime: Runtime) -> None:
    async def check() -> None:
        topology = Topology(
            nodes=(
                Node(name="p1", namespaces=("a",), probe=("a",)),
                Node(name="p2", namespaces=("a",), probe=("a",)),
                Node(name="r1", namespaces=("a",), probe=("a",), collector="reference"),
                Node(
                    name="h1",
                    namespaces=("a",),
                    serves=(Served(namespace="a", implementation=Counter),),
                ),
            ),
            links=(link("p1", "p2"), link("p2", "r1"), link("r1", "p1"), link("h1", "p1")),
        )
        async with running(topology, PROCESS) as mesh:
            assert mesh["p1"].collector is None
            assert isinstance(mesh["r1"].collector, Collector)
            assert isinstance(mesh["h1"].collector, Collector)
            for one, other in (("p1", "p2"), ("p2", "r1"), ("r1", "p1")):
                assert await who(mesh, one, other) == other
                assert await who(mesh, other, one) == one
            reply = await mesh["p1"].client.dispatch("a", "Counter", "Next")
            assert (reply.output, reply.handled_by) == (1, "h1")

    runtime.run(check())


def test_a_ring_of_processes_needs_no_order(runtime: Runtime) -> None:
    async def check() -> None:
        topology = shapes.ring(3, namespaces=["a"], probe=["a"])
        async with running(topology, PROCESS) as mesh:
            for one in "123":
                for other in "123":
                    assert await who(mesh, f"n{one}", f"n{other}") == f"n{other}"

    runtime.run(check())


def test_fifty_nodes_are_fully_meshed_in_one_process(runtime: Runtime) -> None:
    async def check() -> None:
        topology = shapes.mesh(50, namespaces=["a"], probe=["a"])
        async with running(topology) as mesh:
            answers = await asyncio.gather(
                *(who(mesh, "n25", f"n{number}") for number in range(1, 51)),
                *(who(mesh, f"n{number}", "n25") for number in range(1, 51)),
            )
            assert answers == [f"n{number}" for number in range(1, 51)] + ["n25"] * 50

    runtime.run(check())


def test_events_tell_of_start_and_stop(runtime: Runtime) -> None:
    events: list[Event] = []

    async def check() -> None:
        mesh = Mesh(PAIR, emit=events.append)
        await mesh.start()
        assert mesh.started
        started = events[-1]
        assert isinstance(started, MeshStarted)
        assert started.nodes == {node.name: node.address for node in mesh}
        assert started.links == ("west -> east",)
        await mesh.stop()
        await mesh.stop()
        assert not mesh.started

    runtime.run(check())
    assert [type(event) for event in events] == [MeshStarted, MeshStopped]
    assert isinstance(events[1], MeshStopped)
    assert events[1].mesh == events[0].mesh  # type: ignore[union-attr]


def test_a_mesh_that_never_started_can_be_stopped(runtime: Runtime) -> None:
    events: list[Event] = []

    async def check() -> None:
        await Mesh(PAIR, emit=events.append).stop()

    runtime.run(check())
    assert events == []


def test_no_thread_and_no_descriptor_is_left(runtime: Runtime) -> None:
    async def once() -> None:
        async with running(shapes.mesh(4, namespaces=["a"], probe=["a"])) as mesh:
            assert await who(mesh, "n1", "n4") == "n4"

    runtime.run(once())
    process = psutil.Process()
    threads = {thread.name for thread in threading.enumerate()}

    async def settled(before: int) -> None:
        await until(lambda: process.num_fds() <= before)

    before = process.num_fds()
    for _ in range(3):
        runtime.run(once())
    runtime.run(settled(before))
    assert {thread.name for thread in threading.enumerate()} <= threads


def test_processes_are_gone_after_the_stop(runtime: Runtime) -> None:
    async def check() -> list[psutil.Process]:
        async with running(PAIR, PROCESS) as mesh:
            return [psutil.Process(node.running.pid) for node in mesh]  # type: ignore[attr-defined]

    for process in runtime.run(check()):
        assert not process.is_running()


# Nodes


def test_a_node_is_found_by_name(runtime: Runtime) -> None:
    mesh = Mesh(PAIR)
    assert mesh["west"].node == PAIR.nodes[0]
    assert list(mesh.nodes) == ["west", "east"]
    with pytest.raises(InvalidInput, match="did you mean 'east'"):
        mesh["eats"]


def test_handlers_come_from_classes_objects_and_names(runtime: Runtime) -> None:
    async def check() -> None:
        topology = Topology(
            nodes=(
                Node(
                    name="west",
                    namespaces=("a", "b", "c"),
                    serves=(
                        Served(namespace="a", implementation=Counter),
                        Served(namespace="b", implementation=Counter()),
                        Served(namespace="c", implementation="collections:Counter"),
                    ),
                ),
            ),
        )
        with pytest.raises(InvalidInput, match="cannot be used"):
            await Mesh(topology).start()
        async with running(
            Topology(nodes=(Node(name="west", serves=topology.nodes[0].serves[:2]),))
        ) as mesh:
            for namespace in "ab":
                for expected in (1, 2):
                    reply = await mesh["west"].client.dispatch(namespace, "Counter", "Next")
                    assert reply.output == expected
            assert "west" in str((await mesh["west"].client.serve("a", "Counter", "Plain")).output)

    runtime.run(check())


@pytest.mark.parametrize(
    ("implementation", "message"),
    [
        ("no.such.module:X", "there is no module 'no'"),
        ("collections:Cuonter", "did you mean 'Counter'"),
        ("collections", "is not module:attribute"),
        ("broken_handlers_module:X", "its module raised ZeroDivisionError"),
        ("incomplete_handlers_module:X", "there is no module 'not_installed_anywhere'"),
    ],
)
def test_handlers_that_cannot_be_imported_say_why(
    runtime: Runtime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    implementation: str,
    message: str,
) -> None:
    (tmp_path / "broken_handlers_module.py").write_text("1 / 0")
    (tmp_path / "incomplete_handlers_module.py").write_text("import not_installed_anywhere")
    monkeypatch.chdir(tmp_path)

    async def check() -> None:
        topology = Topology(
            nodes=(
                Node(name="west", serves=(Served(namespace="a", implementation=implementation),)),
                *nodes("east", "south"),
            ),
        )
        await Mesh(topology).start()

    with pytest.raises(InvalidInput, match=message):
        runtime.run(check())


def test_a_node_may_ask_another_ones_registry(runtime: Runtime) -> None:
    async def check() -> None:
        topology = Topology(
            nodes=(
                Node(
                    name="west",
                    serves=(Served(namespace="a", implementation=Counter),),
                    registry="library",
                ),
                Node(name="library"),
                Node(name="process", probe=("a",), registry="west", collector=str(PROCESS)),
            ),
        )
        async with running(topology) as mesh:
            listed = (await mesh["library"].client.list_services("a")).output
            assert isinstance(listed, dict)
            assert [each["service_name"] for each in listed["services"]] == ["Counter"]
            assert (await mesh["west"].client.dispatch("a", "Counter", "Next")).output == 1

    runtime.run(check())


def test_nodes_that_wait_for_each_other_are_refused() -> None:
    topology = Topology(
        nodes=(Node(name="a", registry="b"), Node(name="b", registry="c"), Node(name="c")),
        links=(link("c", "a"),),
    )
    assert start_order(topology, fronted=()) == {
        "a": frozenset({"b"}),
        "b": frozenset({"c"}),
        "c": frozenset(),
    }
    with pytest.raises(InvalidInput, match="these nodes wait for each other") as caught:
        start_order(topology, fronted={"c"})
    assert all(f"'{name}'" in str(caught.value) for name in "abc")


def test_a_node_logs_for_itself(runtime: Runtime) -> None:
    class Broken:
        async def Break(self, input: object, context: object) -> None:
            raise AttributeError("secret of the machine")

    async def check() -> None:
        topology = Topology(
            nodes=(
                Node(name="west", serves=(Served(namespace="a", implementation=Broken),)),
                Node(name="east"),
            )
        )
        async with running(topology) as mesh:
            reply = await mesh["west"].client.dispatch("a", "Broken", "Break")
            assert reply.status == "INTERNAL"
            assert "secret" not in reply.message
            assert "secret of the machine" in mesh["west"].logs()
            assert mesh["east"].logs() == ""

    runtime.run(check())


def test_statistics_are_known_of_nodes_in_process(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(PAIR) as mesh:
            assert await who(mesh, "west", "west") == "west"
            statistics = mesh["west"].statistics()
            assert statistics is not None
            assert statistics.executions == {f"a/{PROBE}/WhoAmI": 1}
            assert statistics.loopback_calls == 1
        async with running(Topology(nodes=nodes("west")), PROCESS) as mesh:
            assert mesh["west"].statistics() is None

    runtime.run(check())


# Broken and healed


@pytest.mark.parametrize("target", [REFERENCE, PROCESS], ids=str)
def test_a_killed_node_comes_back_on_its_address(runtime: Runtime, target: Target) -> None:
    async def check() -> None:
        async with running(PAIR, target) as mesh:
            address = mesh["east"].address
            await mesh.kill("east")
            assert not mesh["east"].alive
            assert await who(mesh, "west", "east") == "UNAVAILABLE"
            reply = await mesh["east"].client.health(timeout=2)
            assert (reply.status, reply.layer) == ("UNAVAILABLE", "grpc")
            assert mesh.failures() == ()
            await mesh.restart("east")
            assert mesh["east"].address == address
            assert await who(mesh, "east", "east") == "east"

            async with asyncio.timeout(10):
                # The other side connects again by itself, in its own time (CON-014).
                while await who(mesh, "west", "east") != "east":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

    runtime.run(check())


@pytest.mark.parametrize("target", [REFERENCE, PROCESS], ids=str)
def test_a_restarted_node_makes_its_own_links_again(runtime: Runtime, target: Target) -> None:
    async def check() -> None:
        async with running(PAIR, target) as mesh:
            await mesh.restart("west")
            assert await who(mesh, "west", "east") == "east"
            assert await who(mesh, "east", "west") == "west"

    runtime.run(check())


def test_a_paused_process_answers_when_it_is_resumed(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(PAIR, PROCESS) as mesh:
            await mesh.pause("east")
            reply = await mesh["east"].client.health(timeout=0.3)
            assert reply.status == "DEADLINE_EXCEEDED"
            assert mesh["east"].alive
            await mesh.resume("east")
            assert (await mesh["east"].client.health()).ok

    runtime.run(check())


def test_a_node_in_process_cannot_be_paused(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(PAIR) as mesh:
            with pytest.raises(InvalidInput, match="shares the harness's process"):
                await mesh.pause("west")
            with pytest.raises(InvalidInput, match="shares the harness's process"):
                await mesh.resume("west")

    runtime.run(check())


def test_a_process_that_dies_is_told(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(PAIR, PROCESS) as mesh:
            os.kill(mesh["east"].running.pid, signal.SIGKILL)  # type: ignore[attr-defined]
            await until(lambda: mesh["east"].failure is not None)
            (failure,) = mesh.failures()
            assert failure.node == "east"
            assert "died: it was ended by SIGKILL" in str(failure)

    runtime.run(check())


def test_a_reset_brings_everything_back(runtime: Runtime) -> None:
    async def check() -> None:
        topology = Topology(
            nodes=(
                *PAIR.nodes,
                Node(
                    name="south",
                    namespaces=("a",),
                    serves=(Served(namespace="a", implementation=Counter),),
                ),
            ),
            links=PAIR.links,
        )
        async with running(topology) as mesh:
            for _ in range(2):
                client = mesh["west"].client
                assert (await client.dispatch("a", PROBE, "Count", "key")).output == 1
                assert (await client.register_service("a", "New", ["M"])).ok
                assert (await mesh["south"].client.serve("a", "Counter", "Next")).output == 1
                assert (await client.connect("stray", "127.0.0.1:1", ["a"])).ok
                assert await mesh.reset()
                assert (await client.validate("a", "New", "M")).status == "NOT_FOUND"
                assert await who(mesh, "west", "stray") == "NOT_FOUND"
                assert await who(mesh, "west", "east") == "east"
                assert await who(mesh, "east", "west") == "west"

    runtime.run(check())


def test_what_cannot_be_reset_says_so(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(PAIR, PROCESS) as mesh:
            assert not await mesh.reset()
        async with running(PAIR) as mesh:
            await mesh.kill("east")
            assert not await mesh.reset()
            await mesh.restart("east")
            assert not await mesh.reset()
        assert not await mesh.reset()

    runtime.run(check())


# Starts that fail


BROKEN = {
    "exits": ("import sys; print('no licence', file=sys.stderr); sys.exit(4)", "status 4"),
    "hangs": ("import signal; signal.pause()", "did not print its ready line within"),
    "prints garbage": (
        "import os, signal\nos.write(1, os.urandom(100000)); signal.pause()",
        "did not print its ready line within",
    ),
    "says it listens and does not": (
        "print('collector listening on 127.0.0.1:9', flush=True); import signal; signal.pause()",
        "is not healthy after",
    ),
    "is no gRPC server": (
        """
import socket
server = socket.create_server(("127.0.0.1", 0))
print("collector listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    connection.sendall(b"HTTP/1.1 400 Bad Request\\r\\n\\r\\n")
    connection.close()
""",
        "is not healthy after",
    ),
}


@pytest.mark.parametrize(("source", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_target_that_does_not_start_leaves_nothing(
    runtime: Runtime, tmp_path: Path, source: str, message: str
) -> None:
    program = tmp_path / "broken.py"
    program.write_text(source)
    marker = str(tmp_path)
    topology = Topology(
        nodes=(
            Node(name="good", environment=(("TEST_MARKER", marker),)),
            Node(name="bad", collector=f"exec:{sys.executable} {program}"),
            Node(name="here", collector="reference"),
        ),
        links=(link("good", "bad"), link("here", "bad")),
    )
    events: list[Event] = []

    async def check() -> TargetFailed:
        mesh = Mesh(topology, target=PROCESS, emit=events.append, ready_limit=timedelta(seconds=4))
        with pytest.raises(TargetFailed) as caught:
            await mesh.start()
        assert not any(node.alive for node in mesh)
        assert not any(can_be_dialled(node.address) for node in mesh if node.address)
        return caught.value

    failure = runtime.run(check())
    assert failure.node == "bad"
    assert message in str(failure)
    assert events == []
    children = psutil.Process().children(recursive=True)
    assert not [child for child in children if str(program) in " ".join(child.cmdline())]
    assert not [child for child in children if child.environ().get("TEST_MARKER") == marker]


def test_a_link_that_is_refused_fails_the_start(runtime: Runtime, tmp_path: Path) -> None:
    program = tmp_path / "deaf.py"
    program.write_text(DEAF)
    topology = Topology(
        nodes=(
            Node(name="west"),
            Node(name="deaf", collector=f"exec:{sys.executable} {program}"),
        ),
        links=(link("west", "deaf"),),
    )

    async def check() -> None:
        await Mesh(topology).start()

    with pytest.raises(TargetFailed, match="link 'west -> deaf' could not be made"):
        runtime.run(check())


# Healthy, but answers UNIMPLEMENTED to Connect.
DEAF = """
import signal
from concurrent.futures import ThreadPoolExecutor
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
server = grpc.server(ThreadPoolExecutor(2))
servicer = health.HealthServicer()
servicer.set("", health_pb2.HealthCheckResponse.SERVING)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"collector listening on 127.0.0.1:{port}", flush=True)
signal.pause()
"""


def test_a_link_that_a_process_never_makes_fails_the_start(
    runtime: Runtime, tmp_path: Path
) -> None:
    program = tmp_path / "deaf.py"
    program.write_text(DEAF)
    topology = Topology(
        nodes=(
            Node(name="deaf", collector=f"exec:{sys.executable} {program}"),
            Node(name="other", collector=str(PROCESS)),
        ),
        links=(link("deaf", "other"),),
    )

    async def check() -> None:
        await Mesh(topology, ready_limit=timedelta(seconds=5)).start()

    with pytest.raises(TargetFailed, match="link 'deaf -> other' is not up after 5 s"):
        runtime.run(check())


def test_a_cancelled_start_leaves_nothing(runtime: Runtime, tmp_path: Path) -> None:
    program = tmp_path / "slow.py"
    program.write_text("import signal; signal.pause()")
    topology = Topology(
        nodes=(
            Node(name="slow", collector=f"exec:{sys.executable} {program}"),
            Node(name="here"),
        )
    )

    async def check() -> None:
        mesh = Mesh(topology)
        starting = asyncio.create_task(mesh.start())
        await until(lambda: mesh["slow"].alive and mesh["here"].alive)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert not mesh["slow"].alive
        assert not mesh["here"].alive

    runtime.run(check())


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("python:no.such:thing", "there is no module 'no'"),
        ("python:collections:abc", "is no factory"),
        ("python:builtins:dict", "raised TypeError"),
        ("python:builtins:str", "which lacks start, stop"),
    ],
)
def test_a_factory_that_is_none_says_why(runtime: Runtime, target: str, message: str) -> None:
    async def check() -> None:
        await Mesh(PAIR, target=parse_target(target)).start()

    with pytest.raises(HarnessError, match=message):
        runtime.run(check())


def test_a_taken_port_is_told_when_a_node_comes_back(runtime: Runtime) -> None:
    async def check() -> None:
        async with running(PAIR) as mesh:
            host, port = mesh["east"].address.split(":")
            await mesh.kill("east")
            thief = socket.create_server((host, int(port)))
            with thief, pytest.raises(EnvironmentLacks, match="end what uses the port"):
                await mesh.restart("east")
            assert not mesh["east"].alive

    runtime.run(check())


# Attached


def test_a_running_collector_is_attached_and_left_running(runtime: Runtime) -> None:
    async def check() -> None:
        collector = Collector(
            CollectorSettings(collector_id="theirs", namespaces=("a",), probe=("a",))
        )
        await collector.start()
        try:
            topology = Topology(
                nodes=(
                    Node(name="theirs", namespaces=("a",)),
                    Node(name="ours", namespaces=("a",), probe=("a",), collector="reference"),
                ),
                links=(link("ours", "theirs"),),
            )
            target = parse_target(f"attach:{collector.address}")
            async with running(topology, target) as mesh:
                assert mesh["theirs"].address == collector.address
                assert await who(mesh, "ours", "theirs") == "theirs"
                assert await who(mesh, "theirs", "ours") == "ours"
                assert mesh["theirs"].alive
                assert mesh["theirs"].logs() == ""
                for act in (mesh.kill, mesh.pause, mesh.resume, mesh.restart):
                    with pytest.raises(InvalidInput, match="started by somebody else"):
                        await act("theirs")
                assert not await mesh.reset()
            assert can_be_dialled(collector.address)
        finally:
            await collector.kill()

    runtime.run(check())


def test_an_attached_node_that_is_not_there_fails(runtime: Runtime) -> None:
    async def check() -> None:
        await Mesh(
            Topology(nodes=nodes("west")),
            target=parse_target("attach:127.0.0.1:1"),
            ready_limit=timedelta(seconds=0.5),
        ).start()

    with pytest.raises(TargetFailed, match=r"is not healthy after 0\.5 s"):
        runtime.run(check())


def test_only_one_node_can_be_attached() -> None:
    target = parse_target("attach:127.0.0.1:1")
    with pytest.raises(InvalidInput, match="needs 2 of the collector under test"):
        Mesh(PAIR, target=target)
    topology = Topology(
        nodes=(Node(name="a"), Node(name="b", collector="reference")), links=(link("a", "b"),)
    )
    with pytest.raises(InvalidInput, match="turn it round: b -> a"):
        Mesh(topology, target=target)


def test_a_machine_without_ipv6_is_told_so(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "has_ipv6", False)

    async def check() -> None:
        await Mesh(Topology(nodes=nodes("west")), target=parse_target("attach:[::1]:50051")).start()

    with pytest.raises(EnvironmentLacks, match="this machine has no IPv6"):
        runtime.run(check())


def test_an_ipv6_address_is_attached_where_there_is_ipv6(runtime: Runtime) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")

    async def check() -> None:
        collector = Collector(CollectorSettings(collector_id="west", listen="[::1]:0"))
        await collector.start()
        try:
            target = parse_target(f"attach:{collector.address}")
            async with running(Topology(nodes=nodes("west")), target) as mesh:
                assert (await mesh["west"].client.health()).ok
        finally:
            await collector.kill()

    runtime.run(check())


# Open files


def test_the_need_of_open_files_is_estimated() -> None:
    assert descriptors_needed(shapes.mesh(50)) == 64 + 12 * 50 + 6 * 1225


LIMITED = """
import asyncio, resource, sys
from collector_harness.errors import EnvironmentLacks
from collector_harness.mesh import Mesh
from collector_harness.topology import shapes
soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
async def main():
    mesh = Mesh(shapes.mesh(int(sys.argv[3]), namespaces=["a"]))
    try:
        await mesh.start()
    except EnvironmentLacks as error:
        print("lacks:", error)
    else:
        print("started", resource.getrlimit(resource.RLIMIT_NOFILE)[0] > soft)
        await mesh.stop()
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("soft", "hard", "count", "said"),
    [
        (128, 4096, 8, "started True"),
        (128, 256, 20, "lacks: a mesh of 20 nodes and 190 links needs about"),
    ],
)
def test_too_few_open_files_are_raised_or_told(soft: int, hard: int, count: int, said: str) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip("the machine's own limit is lower")
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(soft), str(hard), str(count)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said in ended.stdout
    if said.startswith("lacks"):
        assert "but this process may have 256" in ended.stdout
        assert "ulimit -n" in ended.stdout
