"""The step that calls any RPC of a node by its name."""

from __future__ import annotations

from collector_harness.errors import InvalidInput, Problem
from collector_harness.scenario.model import CallStep
from collector_harness.scenario.steps.base import Answer, Place, answer_of

__all__ = ["call"]


async def call(step: CallStep, at: Place) -> Answer:
    """Calls a method by its full name, with values that fit its request, or with raw bytes."""
    client, rpc = at.client(step), at.scope.text(step.rpc)
    request = at.scope.fill(step.input)
    metadata, timeout = at.metadata(step), at.deadline(step)
    if isinstance(request, bytes):
        reply = await client.call_raw(rpc, request, metadata=metadata, timeout=timeout)
    else:
        reply = await client.call(
            rpc, request, append=_appended(step, at), metadata=metadata, timeout=timeout
        )
    at.tell(at, reply)
    return answer_of(reply)


def _appended(step: CallStep, at: Place) -> bytes:
    appended = at.scope.fill(step.append)
    if appended is None:
        return b""
    if isinstance(appended, bytes):
        return appended
    raise InvalidInput(
        Problem(message="what is appended to a request is bytes", hint="write {$base64: ...}")
    )
