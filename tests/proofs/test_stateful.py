"""Random operations on real meshes come to what a pure model of registry and routing says.

A few histories here, the same in every run; `make stateful` tries as many as it is given time for,
with a seed that it tells.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import combinations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from collector_harness.client import Reply
from collector_harness.mesh import Mesh
from collector_harness.runtime import Runtime
from collector_harness.topology.routing import executors
from collector_harness.topology.values import Link, Node, Topology
from collector_reference.errors import NotRegistered

EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "0"))
"""How many histories a long run tries; 0 for those of every run."""

PROBE = "conformance.Probe"
NAMESPACES = ("users", "orders", "books")
NODES = (
    Node(name="a", namespaces=("users", "orders"), probe=("users",)),
    Node(name="b", namespaces=("users", "orders", "books"), probe=("orders", "users")),
    Node(name="c", namespaces=("orders", "books"), probe=("orders", "books")),
    Node(name="d", namespaces=NAMESPACES),
)
NAMES = tuple(node.name for node in NODES)
SERVICES = ("Basket", "shop.Basket", "Till")
METHODS = ("Add", "add", "Remove")

nodes = st.sampled_from(NAMES)
namespaces = st.sampled_from(NAMESPACES)
subsets = st.lists(namespaces, unique=True).map(tuple)


class Refusing:
    """A validator that knows nothing."""

    async def validate_service_method(
        self,
        namespace: str,
        service: str,
        method: str,
        *,
        time_left: timedelta | None = None,
    ) -> None:
        del time_left
        raise NotRegistered(f"{namespace}/{service}.{method}")


@dataclass
class Modelled:
    """What a node must be like."""

    node: Node
    alive: bool = True
    validator: str = "own"
    """`own`, `none`, or `refusing`."""
    registered: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def lets(self, method: str) -> bool:
        """Whether its validator lets a probe method be executed that has a handler."""
        if self.validator == "own":
            return method != "Unregistered"
        return self.validator == "none"


class Model:
    """All nodes, and who is connected with whom."""

    def __init__(self) -> None:
        self.nodes = {node.name: Modelled(node=node) for node in NODES}
        self.links: set[frozenset[str]] = set()

    def topology(self) -> Topology:
        """Returns what there is of it that lives."""
        alive = {name for name, each in self.nodes.items() if each.alive}
        return Topology(
            nodes=tuple(each.node for each in self.nodes.values()),
            links=tuple(
                Link(source=min(link), target=max(link)) for link in self.links if link <= alive
            ),
        )

    def peers(self, name: str) -> list[str]:
        """Returns who is or was connected with a node."""
        return sorted(next(iter(link - {name})) for link in self.links if name in link)

    def executors(self, via: str, namespace: str, target: str | None, method: str) -> set[str]:
        """Returns who may execute a probe call: first where it can run at all, and then who of
        them lets it. A handler that its own validator refuses does not lead elsewhere (DSP-016).
        """
        able = executors(self.topology(), via=via, namespace=namespace, target=target)
        return {name for name in able if self.nodes[name].lets(method)}

    def dead_ends(self, via: str, target: str | None) -> bool:
        """Whether a peer that has died may have been the reason of a failure."""
        dead = [name for name in self.peers(via) if not self.nodes[name].alive]
        return bool(dead) if target is None else target in dead


class Collectors(RuleBasedStateMachine):
    """Drives a mesh and the model, and compares them after each operation."""

    runtime: Runtime

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.mesh = Mesh(Topology(nodes=NODES))

    @initialize()
    def start(self) -> None:
        self.runtime.run(self.mesh.start())

    def teardown(self) -> None:
        try:
            if self.mesh.started:
                self.runtime.run(self.compare_all())
        finally:
            self.runtime.run(self.mesh.stop())

    # What is done

    @precondition(lambda self: len(self.alive()) > 1)
    @rule(source=nodes, peer=nodes)
    def connect(self, source: str, peer: str) -> None:
        if source == peer or not {source, peer} <= set(self.alive()):
            return
        self.runtime.run(self.connected(source, peer))

    @rule(name=nodes, namespaces=subsets)
    def set_namespaces(self, name: str, namespaces: tuple[str, ...]) -> None:
        each = self.model.nodes[name]
        if not each.alive:
            return
        each.node = replace(each.node, namespaces=namespaces)
        collector = self.mesh[name].collector
        assert collector is not None
        self.runtime.run(collector.set_namespaces(namespaces))

    @rule(name=nodes, validator=st.sampled_from(["none", "refusing"]))
    def set_validator(self, name: str, validator: str) -> None:
        each = self.model.nodes[name]
        collector = self.mesh[name].collector
        if not each.alive or collector is None:
            return
        each.validator = validator
        collector.set_registry_validator(Refusing() if validator == "refusing" else None)

    @precondition(lambda self: len(self.alive()) > 2)
    @rule(name=nodes)
    def kill(self, name: str) -> None:
        if not self.model.nodes[name].alive:
            return
        self.model.nodes[name].alive = False
        self.runtime.run(self.mesh.kill(name))

    @rule(name=nodes)
    def restart(self, name: str) -> None:
        """It comes back as it began, and asks its peers anew: some are asked twice."""
        if self.model.nodes[name].alive:
            return
        first = next(node for node in NODES if node.name == name)
        self.model.nodes[name] = Modelled(node=first)
        self.runtime.run(self.mesh.restart(name))
        for peer in self.model.peers(name):
            if self.model.nodes[peer].alive:
                self.runtime.run(self.connected(name, peer))

    @rule(
        name=nodes,
        namespace=namespaces,
        service=st.sampled_from(SERVICES),
        methods=st.lists(st.sampled_from(METHODS), unique=True).map(tuple),
    )
    def register(self, name: str, namespace: str, service: str, methods: tuple[str, ...]) -> None:
        each = self.model.nodes[name]
        if not each.alive:
            return
        reply = self.ask(self.mesh[name].client.register_service(namespace, service, methods))
        known = (namespace, service) in each.registered
        assert reply.status == ("ALREADY_EXISTS" if known else "OK"), reply
        each.registered.setdefault((namespace, service), methods)

    # What is asked

    @rule(name=nodes, namespace=namespaces, service=st.sampled_from(SERVICES))
    def look_up(self, name: str, namespace: str, service: str) -> None:
        if not (each := self.model.nodes[name]).alive:
            return
        client = self.mesh[name].client
        methods = each.registered.get((namespace, service))
        reply = self.ask(client.lookup_service(namespace, service))
        assert reply.status == ("NOT_FOUND" if methods is None else "OK"), reply
        for method in METHODS:
            valid = self.ask(client.validate(namespace, service, method))
            assert valid.status == ("OK" if method in (methods or ()) else "NOT_FOUND"), valid

    @rule(name=nodes, namespace=namespaces)
    def list_services(self, name: str, namespace: str) -> None:
        if not (each := self.model.nodes[name]).alive:
            return
        reply = self.ask(self.mesh[name].client.list_services(namespace))
        assert isinstance(reply.response, dict)
        listed = {
            service["service_name"]: tuple(service.get("method_names", ()))
            for service in reply.response.get("services", ())
        }
        probed = {PROBE} if namespace in each.node.probe else set()
        own = {key[1]: methods for key, methods in each.registered.items() if key[0] == namespace}
        assert listed.keys() == own.keys() | probed, reply
        assert {key: listed[key] for key in own} == own

    @rule(
        via=nodes,
        namespace=namespaces,
        at=st.none() | nodes,
        method=st.sampled_from(["WhoAmI", "Unregistered", "Declared"]),
    )
    def dispatch(self, via: str, namespace: str, at: str | None, method: str) -> None:
        if self.model.nodes[via].alive:
            self.runtime.run(self.dispatched(via, namespace, at, method))

    @rule(name=nodes, namespace=namespaces, method=st.sampled_from(["WhoAmI", "Unregistered"]))
    def serve(self, name: str, namespace: str, method: str) -> None:
        if not (each := self.model.nodes[name]).alive:
            return
        reply = self.ask(self.mesh[name].client.serve(namespace, PROBE, method, "key"))
        runs = namespace in each.node.probe and each.lets(method)
        assert reply.status == ("OK" if runs else "NOT_FOUND"), reply

    # How it is compared

    def alive(self) -> list[str]:
        return [name for name, each in self.model.nodes.items() if each.alive]

    def ask(self, call) -> Reply:  # type: ignore[no-untyped-def]
        return self.runtime.run(call)

    async def connected(self, source: str, target: str) -> None:
        collector = self.mesh[source].collector
        assert collector is not None
        response = await collector.connect_to(self.mesh[target].address)
        theirs = self.model.nodes[target].node.namespaces
        mine = self.model.nodes[source].node.namespaces
        assert set(response.shared_namespaces) == set(mine) & set(theirs)
        self.model.links.add(frozenset({source, target}))
        await self.established(source, target)
        await self.established(target, source)

    async def established(self, source: str, target: str) -> None:
        """Returns when a node could send a call to the other, which must come to be."""
        async with asyncio.timeout(30):
            while True:
                collector = self.mesh[source].collector
                assert collector is not None
                mine = [each for each in collector.connections() if each.collector_id == target]
                assert len(mine) <= 1, mine
                if mine and mine[0].established:
                    return
                # A round trip, so that the others of this loop get their turn.
                await self.mesh[target].client.health()

    async def dispatched(self, via: str, namespace: str, target: str | None, method: str) -> None:
        reply = await self.mesh[via].client.dispatch(
            namespace, PROBE, method, "key", target=target or "", timeout=20
        )
        expected = (
            set() if method == "Declared" else self.model.executors(via, namespace, target, method)
        )
        if expected:
            assert reply.status == "OK", (expected, reply)
            assert reply.handled_by in expected, (expected, reply)
            assert method != "WhoAmI" or reply.output == reply.handled_by
        elif self.model.dead_ends(via, target):
            assert reply.status in ("NOT_FOUND", "UNAVAILABLE"), reply
        else:
            assert reply.status == "NOT_FOUND", reply

    async def compare_all(self) -> None:
        for link in self.model.links:
            if link <= set(self.alive()):
                source, target = sorted(link)
                await self.established(source, target)
                await self.established(target, source)
        for first, second in combinations(self.alive(), 2):
            collector = self.mesh[first].collector
            assert collector is not None
            there = second in {each.collector_id for each in collector.connections()}
            assert there == (frozenset({first, second}) in self.model.links)
        for via, namespace, target in self.routes():
            await self.dispatched(via, namespace, target, "WhoAmI")

    def routes(self) -> Iterator[tuple[str, str, str | None]]:
        for via in self.alive():
            for namespace in NAMESPACES:
                for target in (None, *NAMES):
                    yield via, namespace, target


def test_random_operations_come_to_what_the_model_says() -> None:
    runtime = Runtime()
    machine = type("Driven", (Collectors,), {"runtime": runtime})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES or 8,
                stateful_step_count=60 if EXAMPLES else 25,
                derandomize=not EXAMPLES,
                database=None,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        runtime.close()
