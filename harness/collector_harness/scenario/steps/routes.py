"""The step that makes every call a mesh can be asked for, and holds the answers against a model.

What the answers must be is computed from the topology alone, in `topology.routing`.
"""

from __future__ import annotations

import asyncio
import time

from collector_harness.client import Reply
from collector_harness.scenario.model import RoutesStep
from collector_harness.scenario.steps.base import DEFAULT_DEADLINE, Answer, Place
from collector_harness.topology.routing import Route
from collector_harness.topology.routing import routes as routes_of

__all__ = ["routes"]

_AT_A_TIME = 32
"""Calls in flight: enough to keep every node busy, too few to run into a deadline by queueing."""


async def routes(step: RoutesStep, at: Place) -> Answer:
    """Makes the calls, each to the probe's WhoAmI, and tells those that went otherwise than
    the model allows.
    """
    begin = time.perf_counter()
    names = step.routes.namespaces
    chosen = None if names is None else {at.scope.text(name) for name in names}
    wanted = [
        route
        for route in routes_of(at.mesh.topology)
        if chosen is None or route.namespace in chosen
    ]
    term = step.deadline if step.deadline is not None else at.defaults.deadline
    timeout = at.scope.duration(DEFAULT_DEADLINE if term is None else term).total_seconds()
    room = asyncio.Semaphore(_AT_A_TIME)

    async def call(route: Route) -> Reply:
        async with room:
            reply = await at.mesh[route.via].client.dispatch(
                route.namespace,
                "conformance.Probe",
                "WhoAmI",
                target=route.target or "",
                timeout=timeout,
            )
        at.tell(at, reply)
        return reply

    replies = await asyncio.gather(*(call(route) for route in wanted))
    seconds = time.perf_counter() - begin
    wrong = [
        _told(route, reply)
        for route, reply in zip(wanted, replies, strict=True)
        if not _allowed(route, reply)
    ]
    return Answer(
        values={"calls": len(wanted), "wrong": wrong, "seconds": seconds}, seconds=seconds
    )


def _allowed(route: Route, reply: Reply) -> bool:
    if not route.executors:
        return reply.status == "NOT_FOUND"
    # The executor says itself who it is: what the dispatcher claims must be the same.
    return (
        reply.status == "OK"
        and reply.handled_by in route.executors
        and reply.output == reply.handled_by
    )


def _told(route: Route, reply: Reply) -> dict[str, object]:
    return {
        "via": route.via,
        "namespace": route.namespace,
        "target": route.target,
        "executors": sorted(route.executors),
        "status": reply.status,
        "message": reply.message,
        "handled_by": reply.handled_by,
        "output": reply.output,
    }
