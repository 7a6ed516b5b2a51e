"""Which launcher brings up a node, by what the node is and what is under test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from grpc.aio import ServerInterceptor

from collector_harness.client.dialects import DialectName, dialect_in
from collector_harness.errors import InvalidInput, Problem
from collector_harness.faults.front import Front
from collector_harness.launchers.attached import AttachedNode
from collector_harness.launchers.base import RunningNode
from collector_harness.launchers.inprocess import InProcessNode
from collector_harness.launchers.process import ProcessNode
from collector_harness.peers.node import PeerNode
from collector_harness.targets import (
    AttachTarget,
    ExecTarget,
    PythonTarget,
    Reference,
    Target,
    parse_target,
)
from collector_harness.topology.values import Node, Topology

__all__ = ["check_attached", "dialect_of", "launcher_of", "target_of"]


def target_of(node: Node, target: Target) -> Target:
    """Returns what a node is: its own `collector` where it names one, the reference where it
    serves handlers or is played, else the target under test. Raises `InvalidInput` for a bad
    `collector`.
    """
    if node.peer is not None:
        return Reference()
    if node.collector is not None:
        return parse_target(node.collector)
    if node.serves:
        return Reference()
    return target


def dialect_of(node: Node, target: Target, *, under_test: Target) -> DialectName:
    """Returns how a node reads ConnectRequest: as it says itself, by `dialect` or the variable of
    the launch contract, else as its `target` declares. The harness's own nodes speak as what is
    under test does.
    """
    said = node.dialect or dialect_in(node.environment)
    if said is not None:
        return said
    return (under_test if isinstance(target, Reference) else target).dialect


def launcher_of(
    node: Node,
    target: Target,
    *,
    ready_limit: timedelta,
    front: Front | None = None,
    interceptors: Sequence[ServerInterceptor] = (),
) -> RunningNode:
    """Returns the node, not started yet, in the way that its target is launched.

    `front` are its doors, where faults need some; `interceptors` see the calls to a reference
    collector first. Raises `InvalidInput` where the target cannot have them.
    """
    if node.peer is not None:
        return PeerNode(node.name, node.peer, front=front, interceptors=interceptors)
    if interceptors and not isinstance(target, Reference):
        raise InvalidInput(
            Problem(
                message=f"an RPC of node '{node.name}' cannot be made to fail: a gRPC fault needs "
                f"a reference node in process, and this is {target}",
                hint=f"write collector: reference for '{node.name}', or use a fault of a link",
            )
        )
    match target:
        case ExecTarget():
            return ProcessNode(node.name, target, ready_limit=ready_limit, front=front)
        case AttachTarget():
            if front is not None:
                raise InvalidInput(
                    Problem(
                        message=f"node '{node.name}' cannot be disturbed: {target} was started by "
                        "somebody else, who dials it past the harness",
                        hint="let the harness launch it, by exec:COMMAND",
                    )
                )
            return AttachedNode(node.name, target)
        case PythonTarget():
            return InProcessNode(node.name, target, front=front)
        case Reference():
            return InProcessNode(node.name, target, front=front, interceptors=interceptors)


def check_attached(topology: Topology, targets: Mapping[str, Target]) -> None:
    """Raises `InvalidInput` for a topology that one running collector cannot be."""
    attached = [name for name, target in targets.items() if isinstance(target, AttachTarget)]
    problems = []
    for target, count in Counter(str(targets[name]) for name in attached).items():
        if count == 1:
            continue
        problems.append(
            Problem(
                message=f"{target} is one running collector, but the topology needs "
                f"{count} of the collector under test",
                hint="use exec:COMMAND, which starts as many as are needed",
            )
        )
    problems += [
        Problem(
            message=f"link '{link}' begins at {targets[link.source]}, which nobody can tell to "
            "connect",
            hint=f"turn it round: {link.target} -> {link.source}; a link carries calls both ways",
        )
        for link in topology.links
        if link.source in attached
    ]
    if problems:
        raise InvalidInput(problems)
