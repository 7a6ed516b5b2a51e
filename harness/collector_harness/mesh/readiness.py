"""Waiting until a node answers: by its health service, asked over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import timedelta

from collector_harness.client import NodeClient, Reply
from collector_harness.errors import TargetFailed
from collector_harness.launchers.base import RunningNode
from collector_harness.launchers.pausing import pauses

__all__ = ["all_of", "pauses", "until_healthy"]


async def until_healthy(node: RunningNode, client: NodeClient, *, limit: timedelta) -> None:
    """Returns once the node's health is SERVING, or it says that it has no health service.

    Raises `TargetFailed` when it dies, or is neither within the limit.
    """
    reply: Reply | None = None
    async for _ in pauses(limit):
        if node.failure is not None:
            raise node.failure
        reply = await client.health(timeout=limit.total_seconds())
        if reply.status == "UNIMPLEMENTED":
            return
        if reply.ok and reply.output == {"status": "SERVING"}:
            return
    if node.failure is not None:
        raise node.failure
    answer = "nothing"
    if reply is not None:
        answer = str(reply.output) if reply.ok else f"{reply.status} {reply.message}"
    raise TargetFailed(
        f"node '{node.name}' at {node.address} is not healthy after "
        f"{limit.total_seconds():g} s; its health service answers: {answer}",
        node=node.name,
        log_tail=node.log_tail(),
        lives=True,
    )


async def all_of(work: Iterable[Awaitable[None]]) -> None:
    """Runs everything at once; at the first error ends the rest, and raises that error."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
