"""Which launcher brings up a node, by what the node is and what is under test."""

from __future__ import annotations

from datetime import timedelta

from collector_harness.launchers.attached import AttachedNode
from collector_harness.launchers.base import RunningNode
from collector_harness.launchers.inprocess import InProcessNode
from collector_harness.launchers.process import ProcessNode
from collector_harness.targets import (
    AttachTarget,
    ExecTarget,
    PythonTarget,
    Reference,
    Target,
    parse_target,
)
from collector_harness.topology.values import Node

__all__ = ["launcher_of", "target_of"]


def target_of(node: Node, target: Target) -> Target:
    """Returns what a node is: its own `collector` where it names one, the reference where it
    serves handlers, else the target under test. Raises `InvalidInput` for a bad `collector`.
    """
    if node.collector is not None:
        return parse_target(node.collector)
    if node.serves:
        return Reference()
    return target


def launcher_of(name: str, target: Target, *, ready_limit: timedelta) -> RunningNode:
    """Returns the node, not started yet, in the way that its target is launched."""
    match target:
        case ExecTarget():
            return ProcessNode(name, target, ready_limit=ready_limit)
        case AttachTarget():
            return AttachedNode(name, target)
        case PythonTarget():
            return InProcessNode(name, target)
        case Reference():
            return InProcessNode(name)
