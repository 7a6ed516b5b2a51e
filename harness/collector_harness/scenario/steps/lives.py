"""The steps that end a node or a service and start it again.

One that was ended so is not what it was: its mesh is not used for another case.
"""

from __future__ import annotations

import time
from datetime import timedelta

from collector_harness.errors import TargetFailed
from collector_harness.mesh import MeshNode, MeshService
from collector_harness.scenario.model import StartStep, StopStep
from collector_harness.scenario.steps.base import Answer, Place

__all__ = ["start", "stop"]

_DEFAULT_GRACE = timedelta(seconds=15)
"""More than the grace that the protocol gives a collector (OPS-003)."""
_AT_ONCE = timedelta()
_AWAY = 2.0
"""Seconds: longer than a channel pauses between two tries to connect."""


async def stop(step: StopStep, at: Place) -> Answer:
    """Asks a node to end, and waits until it has; after the deadline it is killed."""
    node = at.mesh[at.scope.text(step.node)]
    at.mesh.doubt()
    grace = at.scope.duration(_DEFAULT_GRACE if step.deadline is None else step.deadline)
    begin = time.perf_counter()
    status = await node.running.end(grace)
    seconds = time.perf_counter() - begin
    return _answer(node, seconds, exit=_status(status))


async def start(step: StartStep, at: Place) -> Answer:
    """Starts a node again, and waits until it is ready, or is known not to become so."""
    node = at.mesh[at.scope.text(step.node)]
    at.mesh.doubt()
    begin = time.perf_counter()
    try:
        await at.mesh.restart(node.name, healthy=False)
        if not isinstance(node, MeshService):
            # A channel that found it gone would look for it again only after a pause.
            await node.client.until_connected(seconds=_AWAY)
    except TargetFailed as error:
        seconds = time.perf_counter() - begin
        # Where it has ended by itself, this only tells how; where it still runs, it is ended.
        status = await node.running.end(_AT_ONCE)
        return _answer(node, seconds, ready=False, exit=_status(status), reason=str(error))
    seconds = time.perf_counter() - begin
    return _answer(node, seconds, ready=True, exit=None, reason="")


def _status(told: object) -> int | None:
    """Returns the exit status; None for what shares the harness's process."""
    return told if isinstance(told, int) else None


def _answer(node: MeshNode, seconds: float, **values: object) -> Answer:
    told = {"node": node.name, **values, "logs": node.logs().splitlines(), "seconds": seconds}
    return Answer(values=told, route=(node.name,), seconds=seconds)
