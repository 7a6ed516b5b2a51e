"""The steps that ask a node's dispatcher: dispatch, serve and connect."""

from __future__ import annotations

from collector_harness.client import Reply
from collector_harness.client.bulk import connect_many
from collector_harness.mesh.descriptors import make_room
from collector_harness.scenario.model import ConnectStep, DispatchStep, ServeStep
from collector_harness.scenario.steps.base import Answer, Place, answer_of

__all__ = ["connect", "dispatch", "serve"]


async def dispatch(step: DispatchStep, at: Place) -> Answer:
    """Asks a node to route a call."""
    name = at.scope.method(step.method)
    reply = await at.client(step).dispatch(
        name.namespace or "",
        name.service or "",
        name.method or "",
        at.scope.fill(step.input),
        target=at.scope.text(step.target) if step.target is not None else "",
        routing_hints=_texts(step.hints, at),
        metadata=at.metadata(step),
        timeout=at.deadline(step),
    )
    return _told(reply, at)


async def serve(step: ServeStep, at: Place) -> Answer:
    """Asks a node to execute a call itself."""
    name = at.scope.method(step.method)
    reply = await at.client(step).serve(
        name.namespace or "",
        name.service or "",
        name.method or "",
        at.scope.fill(step.input),
        execution_context=_texts(step.context, at),
        metadata=at.metadata(step),
        timeout=at.deadline(step),
    )
    return _told(reply, at)


async def connect(step: ConnectStep, at: Place) -> Answer:
    """Asks a node to connect with a peer: another node, or what the request says."""
    peer = step.peer
    collector_id, address, namespaces = "", "", tuple[str, ...]()
    if peer.node is not None:
        node = at.mesh[at.scope.text(peer.node)]
        collector_id, address, namespaces = node.name, node.address, node.node.namespaces
    if peer.collector_id is not None:
        collector_id = at.scope.text(peer.collector_id)
    if peer.address is not None:
        address = at.scope.text(peer.address)
    if peer.namespaces is not None:
        namespaces = at.scope.texts(peer.namespaces)
    if peer.count is not None:
        client, count = at.client(step), at.scope.count(peer.count)
        # A collector dials each peer: where both live in this process, it has both ends.
        ends = 1 if at.mesh[client.node].collector is None else 2
        make_room(ends * count, what=f"connecting {count} peers")
        reply = await connect_many(
            client,
            collector_id,
            address,
            namespaces,
            count,
            metadata=at.metadata(step),
            timeout=at.deadline(step),
        )
        return _told(reply, at)
    reply = await at.client(step).connect(
        collector_id,
        address,
        namespaces,
        metadata=at.metadata(step),
        timeout=at.deadline(step),
    )
    return _told(reply, at)


def _texts(written: dict[str, str] | None, at: Place) -> dict[str, str] | None:
    if written is None:
        return None
    return {key: at.scope.text(value) for key, value in written.items()}


def _told(reply: Reply, at: Place) -> Answer:
    at.tell(at, reply)
    return answer_of(reply)
