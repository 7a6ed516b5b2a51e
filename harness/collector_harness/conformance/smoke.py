"""The smoke check before a verdict: tells a broken set-up from a broken collector.

One node is started and asked for its health and each of the eight RPCs, none of which changes
anything in it. What is wrong with an answer is not judged here, only whether there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from collector_harness.client import NodeClient, Reply
from collector_harness.client.reflection import Reflection
from collector_harness.errors import TargetFailed
from collector_harness.mesh import Mesh
from collector_harness.mesh.readiness import pauses
from collector_harness.targets import Target
from collector_harness.topology.values import Node, Topology

__all__ = ["Smoke", "smoke"]

_NAMESPACE = "smoke"
_PROBE = "conformance.Probe"
_NOTICE_LIMIT = timedelta(seconds=1)
# What does not start is told by this name.
_NODE = Node(name="target", namespaces=(_NAMESPACE,), probe=(_NAMESPACE,))


@dataclass(frozen=True, kw_only=True, slots=True)
class Smoke:
    """What one node of the target showed."""

    unanswered: Mapping[str, str]
    """What there was instead of an answer, by RPC."""
    serving: bool
    """Whether its health is SERVING."""
    has_probe: bool
    """Whether it carries the probe service, by any sign of it: one broken RPC must not make
    everything that depends on the probe unsupported."""
    has_reflection: bool = False
    """Whether it lists services by server reflection."""
    collector_id: str = ""
    """How it calls itself; empty where no answer tells."""
    probes: frozenset[str] = frozenset()
    """The namespaces in which its registry has the probe service."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know, a sentence each."""
        notices = [f"{rpc} does not answer: {instead}" for rpc, instead in self.unanswered.items()]
        if not self.serving:
            notices.append("the health of the target is not SERVING")
        if not self.has_probe:
            notices.append(
                "the target carries no probe service: what is executed cannot be seen, and "
                "the requirements about it are unsupported"
            )
        return tuple(notices)


async def smoke(target: Target) -> Smoke:
    """Starts one node of the target, asks it, and stops it; one that runs already is only asked.

    Raises `TargetFailed` when it does not start, dies, or answers none of the eight RPCs, and
    what starting a mesh raises else.
    """
    mesh = Mesh(Topology(nodes=(_NODE,)), target=target)
    try:
        await mesh.start()
        node = mesh[_NODE.name]
        replies = await _ask(node.client)
        health = await node.client.health()
        if any(reply.status == "UNAVAILABLE" for reply in (*replies, health)):
            await _raise_death(mesh)
        unanswered = {
            reply.rpc.rpartition("/")[2]: f"{reply.status} {reply.message}".strip()
            for reply in replies
            if not _is_answer(reply)
        }
        if len(unanswered) == len(replies):
            rpc, instead = next(iter(unanswered.items()))
            raise TargetFailed(
                f"{target} starts and listens, but answers none of the eight RPCs; {rpc} is "
                f"answered by {instead}\n"
                "hint: is it a collector? Every service has to be on the port of the ready line",
                node=_NODE.name,
                log_tail=node.log_tail(),
            )
        probes = _probes_in(await node.client.list_services(""))
        return Smoke(
            unanswered=unanswered,
            serving=health.ok and health.output == {"status": "SERVING"},
            has_probe=any(_shows_probe(reply) for reply in replies) or bool(probes),
            has_reflection=bool(await Reflection(node.client.transport.channel).services()),
            collector_id=_id_in(replies),
            probes=probes,
        )
    finally:
        await mesh.stop()


async def _raise_death(mesh: Mesh) -> None:
    # The end of a process is noticed later than the end of its connections.
    async for _ in pauses(_NOTICE_LIMIT):
        for failure in mesh.failures():
            raise failure


async def _ask(client: NodeClient) -> tuple[Reply, ...]:
    """Calls each of the eight RPCs in a way that changes nothing."""
    return (
        await client.serve(_NAMESPACE, _PROBE, "WhoAmI"),
        await client.dispatch(_NAMESPACE, _PROBE, "WhoAmI"),
        await client.connect("", ""),
        await client.register_proto("", None),
        await client.register_service(""),
        await client.lookup_service(_NAMESPACE, _PROBE),
        await client.validate(_NAMESPACE, _PROBE, "WhoAmI"),
        await client.list_services(_NAMESPACE),
    )


def _id_in(replies: tuple[Reply, ...]) -> str:
    for reply in replies:
        response = reply.response if isinstance(reply.response, dict) else {}
        for field in ("executor_id", "handled_by_collector_id", "target_collector_id"):
            if isinstance(response.get(field), str) and response[field]:
                return str(response[field])
    return ""


def _probes_in(reply: Reply) -> frozenset[str]:
    response = reply.response if isinstance(reply.response, dict) else {}
    listed = response.get("services")
    return frozenset(
        str(each.get("namespace"))
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and each.get("service_name") == _PROBE
    )


def _is_answer(reply: Reply) -> bool:
    if reply.layer != "grpc":
        return True
    # Registry writes fail as gRPC errors (WIR-004); these ones come from gRPC itself.
    return reply.status not in ("UNIMPLEMENTED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN")


def _shows_probe(reply: Reply) -> bool:
    match reply.rpc.rpartition("/")[2]:
        case "Serve" | "Dispatch" | "LookupService":
            return reply.ok
        case "ValidateMethod":
            return isinstance(reply.response, dict) and reply.response.get("is_valid") is True
        case "ListServices":
            return _PROBE in str(reply.response)
        case _:
            return False
