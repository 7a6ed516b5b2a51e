"""Making links, and waiting until they carry calls both ways.

A collector in this process is asked for its connections. Of a process only what can be
seen from outside is used: its dispatcher tells a connected target from one that is not.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from collector_harness.client import NodeClient, Reply
from collector_harness.client.dialects import DialectName
from collector_harness.errors import TargetFailed
from collector_harness.launchers.base import RunningNode
from collector_harness.launchers.logs import sanitised
from collector_harness.mesh.readiness import pauses
from collector_harness.peers.values import LINK_SERVICE
from collector_harness.topology.values import Link, Node
from collector_reference import Dialect
from collector_reference.errors import CollectorError

__all__ = ["dial", "until_awake", "until_connected", "until_it_dispatches", "until_lost"]

_NOT_YET = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")


async def dial(
    link: Link,
    source: RunningNode,
    target: RunningNode,
    *,
    address: str,
    advertise: str | None,
    dialect: DialectName | None = None,
) -> None:
    """Lets the source, a node in this process, connect to the target at that address.

    `advertise` is where the target shall dial back; None for the source's own address, and
    `dialect` how it reads requests; None for the source's own. Raises `TargetFailed` when the
    target refuses or is not there.
    """
    assert source.collector is not None
    try:
        # A collector with the reference's API may know less of it than the reference.
        further: dict[str, Any] = {} if advertise is None else {"advertise": advertise}
        if dialect is not None:
            further["dialect"] = Dialect(dialect)
        await source.collector.connect_to(address, **further)
    except CollectorError as error:
        raise target.failure or TargetFailed(
            f"link '{link}' could not be made: {sanitised(str(error))}",
            node=target.name,
            log_tail=target.log_tail(),
            lives=True,
        ) from error


async def until_connected(
    node: RunningNode, peers: Iterable[RunningNode], *, limit: timedelta
) -> None:
    """Returns once a node in this process has an established connection to each of the peers.

    Raises `TargetFailed` naming the peers that it has none to when the limit is over.
    """
    missing = wanted = list(peers)
    async for _ in pauses(limit):
        if node.collector is None:
            break
        established = [each for each in node.collector.connections() if each.established]
        ids = {each.collector_id for each in established}
        addresses = {each.address for each in established}
        missing = [
            peer for peer in wanted if peer.name not in ids and not addresses & _places(peer)
        ]
        if not missing:
            return
        for peer in missing:
            if peer.failure is not None:
                raise peer.failure
    names = ", ".join(f"'{peer.name}'" for peer in missing)
    raise TargetFailed(
        f"node '{node.name}' has no connection to {names} after {limit.total_seconds():g} s",
        node=missing[0].name,
        log_tail=missing[0].log_tail(),
        lives=True,
    )


async def until_awake(
    running: RunningNode, client: NodeClient, target: RunningNode, *, limit: timedelta
) -> None:
    """Returns once a node in this process has an established connection to a peer that it knows,
    or when the limit is over.

    A connection that a fault ended is opened again when there is something to send, so the node
    is asked for a method that cannot exist.
    """
    async for _ in pauses(limit):
        known = [
            each
            for each in (running.collector.connections() if running.collector is not None else ())
            if each.collector_id == target.name or each.address in _places(target)
        ]
        if any(each.established for each in known):
            return
        shared = next((name for each in known for name in each.shared_namespaces), None)
        if known and shared is None:
            return  # nothing is ever sent over it
        if shared is not None:
            await client.dispatch(
                shared, LINK_SERVICE, "Wake", target=known[0].collector_id, timeout=1.0
            )


async def until_it_dispatches(
    source: Node, client: NodeClient, target: Node, *, limit: timedelta
) -> tuple[Reply, Reply] | None:
    """Returns None once the source's dispatcher treats the target as connected.

    It is asked for a method that cannot exist, once at the target and once at a collector that
    cannot exist; as long as both answers are alike but for the ids, there is no connection.
    Returns the last two answers when the limit is over.
    """
    shared = [name for name in source.namespaces if name in target.namespaces]
    namespace = (*shared, *source.namespaces, "collector-harness")[0]
    method = f"NoSuchMethod{uuid.uuid4().hex}"
    nobody = f"no-such-collector-{uuid.uuid4().hex}"

    async def ask(collector_id: str) -> Reply:
        return await client.dispatch(
            namespace, LINK_SERVICE, method, target=collector_id, timeout=2.0
        )

    answers: tuple[Reply, Reply] | None = None
    async for _ in pauses(limit):
        answers = (await ask(target.name), await ask(nobody))
        if any(answer.layer == "grpc" for answer in answers) or answers[0].status in _NOT_YET:
            continue
        if _alike(answers[0], target.name) != _alike(answers[1], nobody):
            return None
    return answers


async def until_lost(node: RunningNode, peer: RunningNode, *, limit: timedelta) -> None:
    """Returns once a node in this process knows that it has no connection to the peer, or when
    the limit is over.
    """
    async for _ in pauses(limit):
        if node.collector is None or not any(
            each.established
            for each in node.collector.connections()
            if each.collector_id == peer.name or each.address in _places(peer)
        ):
            return


def _places(node: RunningNode) -> set[str]:
    """Returns the addresses that a node can be dialled at."""
    return {node.address, *(door.address for door in node.front or ())}


def _alike(reply: Reply, collector_id: str) -> tuple[int, str]:
    return reply.code, reply.message.replace(collector_id, "<id>")
