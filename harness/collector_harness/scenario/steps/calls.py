"""The step that calls any RPC of a node by its name."""

from __future__ import annotations

from collector_harness.scenario.model import CallStep
from collector_harness.scenario.steps.base import Answer, Place, answer_of

__all__ = ["call"]


async def call(step: CallStep, at: Place) -> Answer:
    """Calls a method by its full name, with values that fit its request, or with raw bytes."""
    client, rpc = at.node(step).client, at.scope.text(step.rpc)
    request = at.scope.fill(step.input)
    metadata, timeout = at.metadata(step), at.deadline(step)
    if isinstance(request, bytes):
        reply = await client.call_raw(rpc, request, metadata=metadata, timeout=timeout)
    else:
        reply = await client.call(rpc, request, metadata=metadata, timeout=timeout)
    at.tell(at, reply)
    return answer_of(reply)
