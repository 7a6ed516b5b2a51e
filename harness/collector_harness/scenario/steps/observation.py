"""What a node's own counters say, now and as growth over other steps."""

from __future__ import annotations

from collections.abc import Mapping

from collector_harness.errors import InvalidInput, Problem
from collector_harness.mesh import MeshNode
from collector_harness.scenario.model import MeasureStep, ObserveStep
from collector_harness.scenario.steps.base import Answer, Place
from collector_harness.scenario.steps.counters import connections_of, counters_of
from collector_harness.scenario.steps.metrics import metrics_of

__all__ = ["growth", "observe", "observed", "wanted_by"]


_OUTSIDE = frozenset({"node", "logs", "metrics", "calls", "own_connections"})
"""What can be seen of a node in another process too."""


async def observe(step: ObserveStep, at: Place) -> Answer:
    """Looks at the counters of a node."""
    node = at.mesh[at.scope.text(step.node)]
    return Answer(values=await observed(node, wanted_by(step)), route=(node.name,))


def wanted_by(step: ObserveStep | MeasureStep) -> frozenset[str]:
    """Returns the fields that a step names in `expect` and `save`."""
    saved = (path.root for path in (step.save or {}).values())
    return frozenset({*(step.expect or {}), *saved})


async def observed(node: MeshNode, wanted: frozenset[str]) -> dict[str, object]:
    """Returns what a node tells of itself; its metrics, where they are wanted.

    Raises `InvalidInput` for counters of a node that tells none: in another process, one without
    the admin service.
    """
    values: dict[str, object] = {"node": node.name, "logs": node.logs().splitlines()}
    if node.calls is not None:
        values["calls"] = [dict(call) for call in node.calls]
    if "own_connections" in wanted:
        values["own_connections"] = _own_connections(node)
    if "metrics" in wanted:
        values["metrics"] = await metrics_of(node)
    if node.collector is None and wanted and wanted <= _OUTSIDE:
        return values
    counters = await counters_of(node)
    values |= {
        "rpcs": dict(counters.rpcs),
        "loopback_calls": counters.loopback_calls,
        "executions": dict(counters.executions),
    }
    if node.collector is not None or "connections" in wanted:
        values["connections"] = await connections_of(node)
    return values


def _own_connections(node: MeshNode) -> int:
    count = node.own_connections
    if count is None:
        raise InvalidInput(
            Problem(
                message=f"the sockets of node '{node.name}' are out of sight",
                hint="they can be looked at where it is a process and this is Linux: write "
                "needs: [own-sockets]",
            )
        )
    return count


def growth(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object]:
    """Returns what the counters grew by; what did not grow is left out of a mapping of
    counters. What is no counter is told as it is afterwards, the log as its new lines.
    """
    grown: dict[str, object] = {}
    for key, now in after.items():
        then = before.get(key)
        if isinstance(now, int) and isinstance(then, int):
            grown[key] = now - then
        elif isinstance(now, dict) and isinstance(then, dict):
            grown[key] = {
                name: count - then.get(name, 0)
                for name, count in now.items()
                if count != then.get(name, 0)
            }
        elif key in ("logs", "calls") and isinstance(now, list) and isinstance(then, list):
            grown[key] = now[len(then) :]
        else:
            grown[key] = now
    return grown
