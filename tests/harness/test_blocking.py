"""A plain test function uses a mesh without a word of asyncio."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from collector_harness.blocking import BlockingMesh
from collector_harness.errors import InvalidInput, TargetFailed
from collector_harness.runtime import Runtime
from collector_harness.targets import parse_target
from collector_harness.topology.values import Link, Node, Served, Topology


class OrderService:
    """Handlers of a user."""

    def Create(self, input: dict[str, object], context: object) -> dict[str, object]:
        return {"created": input["sku"]}


ORDERS = Topology(
    nodes=(
        Node(name="west", namespaces=("users", "orders"), probe=("users",)),
        Node(
            name="east",
            namespaces=("orders",),
            serves=(Served(namespace="orders", implementation=OrderService),),
        ),
    ),
    links=(Link(source="west", target="east"),),
)


@pytest.fixture(scope="module")
def orders() -> Iterator[BlockingMesh]:
    with BlockingMesh.running(ORDERS) as mesh:
        yield mesh
        assert mesh.reset()


def test_a_call_is_routed(orders: BlockingMesh) -> None:
    reply = orders["west"].dispatch("orders", "OrderService", "Create", {"sku": "A1"})
    assert reply.handled_by == "east"
    assert reply.output == {"created": "A1"}


def test_a_node_has_all_that_belongs_to_it(orders: BlockingMesh) -> None:
    west = orders["west"]
    assert west.collector_id == west.name == "west"
    assert west.address.startswith("127.0.0.1:")
    assert west.alive
    assert west.collector is not None
    assert west.client.address == west.address
    assert west.logs() == ""
    assert west.statistics() is not None
    assert repr(west) == f"<node 'west' at {west.address}>"


def test_every_kind_of_call_waits_for_its_answer(orders: BlockingMesh) -> None:
    west = orders["west"]
    assert west.serve("users", "conformance.Probe", "WhoAmI").output == "west"
    assert west.health().output == {"status": "SERVING"}
    assert west.validate("users", "conformance.Probe", "Echo").ok
    assert west.validate("users", "conformance.Probe", "Nope").status == "NOT_FOUND"
    assert west.connect("stray", "127.0.0.1:1").ok
    assert west.call("conformance.Port/Unary").ok
    assert west.call_raw("conformance.Port/Unary", b"").output == b""


def test_the_registry_hangs_on_its_node(orders: BlockingMesh) -> None:
    registry = orders["east"].registry
    assert orders["east"].register_service("mine", "Shop", ["Buy"]).ok
    assert registry.register_service("mine", "Shop", ["Buy"]).status == "ALREADY_EXISTS"
    assert registry.lookup_service("mine", "Shop").ok
    assert registry.validate("mine", "Shop", "Buy").ok
    assert registry.register_proto("mine", None).status == "INVALID_ARGUMENT"
    listed = registry.list_services("mine").output
    assert isinstance(listed, dict)
    assert [each["id"] for each in listed["services"]] == ["mine/Shop"]


def test_nodes_are_found_by_name_and_in_order(orders: BlockingMesh) -> None:
    assert list(orders.nodes) == ["west", "east"]
    assert [node.name for node in orders] == ["west", "east"]
    assert orders.topology == ORDERS
    assert repr(orders) == "<mesh of west, east>"
    with pytest.raises(InvalidInput, match="did you mean 'west'"):
        orders["wset"]


def test_a_process_is_killed_paused_and_started_again() -> None:
    target = parse_target("exec:{executable} -m collector_reference")
    with BlockingMesh.running(Topology(nodes=(Node(name="west"),)), target=target) as mesh:
        west = mesh["west"]
        address = west.address
        mesh.pause("west")
        assert west.health(timeout=0.2).status == "DEADLINE_EXCEEDED"
        mesh.resume("west")
        assert west.health().ok
        mesh.kill("west")
        assert not west.alive
        assert west.health(timeout=1).status == "UNAVAILABLE"
        mesh.restart("west")
        assert west.health().ok
        assert west.address == address
        assert "collector listening on" in west.logs()
        assert not mesh.reset()


def test_a_failing_test_leaves_nothing() -> None:
    threads = set(threading.enumerate())
    nodes = []

    def fail() -> None:
        with BlockingMesh.running(ORDERS) as mesh:
            nodes.extend(mesh)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert len(nodes) == 2
    assert not any(node.alive for node in nodes)
    left = {thread.name for thread in set(threading.enumerate()) - threads}
    assert "collector-harness" not in left


def test_a_mesh_that_does_not_start_leaves_nothing() -> None:
    threads = set(threading.enumerate())
    with pytest.raises(TargetFailed, match="could not be started"):
        with BlockingMesh.running(ORDERS, target=parse_target("exec:no-such-program")):
            pytest.fail("it must not start")
    left = {thread.name for thread in set(threading.enumerate()) - threads}
    assert not {name for name in left if name.startswith("collector-harness")}


def test_meshes_share_a_runtime() -> None:
    with Runtime() as runtime:
        with (
            BlockingMesh.running(ORDERS, runtime=runtime) as one,
            BlockingMesh.running(ORDERS, runtime=runtime) as other,
        ):
            assert one["west"].address != other["west"].address
            assert one["west"].health().ok
            assert other["west"].health().ok
        assert not runtime.closed
