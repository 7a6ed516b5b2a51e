"""What a collector can do beside the core, found out by starting it with what that takes.

By the launch contract a collector that is told to do what it cannot says so and exits, so one that
comes up can. Only what cases need and nobody has declared is tried.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from collector_harness.conformance.smoke import Smoke
from collector_harness.errors import EnvironmentLacks, TargetFailed
from collector_harness.launchers.own_sockets import CAN_LOOK
from collector_harness.mesh import Mesh
from collector_harness.scenario.needs import OWN_SOCKETS
from collector_harness.targets import AttachTarget, ExecTarget, Target
from collector_harness.topology.tls import NodeTls
from collector_harness.topology.values import Node, Topology

__all__ = ["mismatches", "observe"]

_NODE = Node(name="probed", namespaces=("probed",))
_TRIALS: Mapping[str, Node] = {
    "tls": replace(_NODE, tls=NodeTls()),
    "mtls": replace(_NODE, tls=NodeTls(client_auth=True)),
    "tokens": replace(_NODE, token=True),
    "validation-off": replace(_NODE, validation=False),
    "dialect-accretional": replace(_NODE, dialect="accretional"),
    "persistence": replace(_NODE, store="sqlite:probed.db"),
}


async def observe(target: Target, smoke: Smoke, wanted: Collection[str]) -> Mapping[str, bool]:
    """Returns, of the capabilities that are `wanted`, those that were looked for, and whether
    they were seen; `probe` and `reflection` are always among them.
    """
    found = {"probe": smoke.has_probe, "reflection": smoke.has_reflection}
    if not isinstance(target, ExecTarget):
        return found
    # The contract asks it of every collector.
    found["remote-registry"] = True
    found[OWN_SOCKETS] = CAN_LOOK
    tried = set(wanted) & set(_TRIALS)
    if target.store is None:
        # In which notation it is told a file, nobody knows.
        tried.discard("persistence")
    for name in sorted(tried):
        found[name] = await _starts(target, name)
    return found


async def _starts(target: Target, name: str) -> bool:
    mesh = Mesh(Topology(nodes=(_TRIALS[name],)), target=target)
    try:
        await mesh.start()
        if name != "tokens":
            return True
        # One that has never heard of tokens comes up too.
        stranger = (("authorization", "Bearer of nothing"),)
        reply = await mesh[_NODE.name].client.list_services("probed", metadata=stranger)
    except (TargetFailed, EnvironmentLacks):
        return False
    else:
        return reply.status == "UNAUTHENTICATED"
    finally:
        await mesh.stop()


def mismatches(target: Target, shown: Mapping[str, bool]) -> tuple[list[str], list[str]]:
    """Returns what a target declares and was not seen to have, and what it has and does not
    declare, a sentence each.
    """
    declared = target.declares.capabilities
    if declared is None or isinstance(target, AttachTarget):
        return [], []
    lacking = [
        f"the target declares the capability '{name}', and does not show it"
        for name, has in shown.items()
        if name in declared and not has
    ]
    silent = [
        f"the target shows the capability '{name}', and does not declare it"
        for name in ("probe", "reflection")
        if shown.get(name) and name not in declared
    ]
    return lacking, silent
