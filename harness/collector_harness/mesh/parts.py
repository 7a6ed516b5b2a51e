"""Making the nodes and services of a mesh, none of them started yet."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping
from datetime import timedelta

from collector_harness.client.credentials import ClientCredentials
from collector_harness.errors import InvalidInput, Problem
from collector_harness.faults.front import Front
from collector_harness.faults.plan import FaultPlan
from collector_harness.faults.rpc_faults import RpcFaults
from collector_harness.launchers.choice import (
    check_attached,
    dialect_of,
    launcher_of,
    target_of,
)
from collector_harness.launchers.external import ExternalService
from collector_harness.launchers.service import ServiceProcess
from collector_harness.mesh.credentials import MeshCredentials
from collector_harness.mesh.databases import Databases
from collector_harness.mesh.node import MeshNode
from collector_harness.mesh.service import MeshService, RunningService, as_node
from collector_harness.mesh.texts import Texts
from collector_harness.targets import AttachTarget, Target
from collector_harness.topology.services import Service
from collector_harness.topology.values import Node, Topology

__all__ = ["nodes_of", "rpc_faults_of", "services_of"]


def rpc_faults_of(plan: FaultPlan, topology: Topology) -> dict[str, RpcFaults]:
    """Returns the rules for the nodes of which RPCs are to fail; raises `InvalidInput` for a
    service, which the harness cannot see into.
    """
    for name in plan.rpcs:
        if topology.service(name) is not None:
            raise InvalidInput(
                Problem(
                    message=f"an RPC of service '{name}' cannot be made to fail: a gRPC fault "
                    "needs a reference node in process",
                    hint="use a fault of the service as a whole, such as latency, reset or kill",
                )
            )
    return {name: RpcFaults() for name in plan.rpcs}


def nodes_of(
    topology: Topology,
    target: Target,
    *,
    plan: FaultPlan,
    rng: random.Random,
    rpc_faults: Mapping[str, RpcFaults],
    ready_limit: timedelta,
    credentials: MeshCredentials,
) -> dict[str, MeshNode]:
    """Returns the nodes by name; raises `InvalidInput` for what the targets cannot be."""
    targets = {node.name: target_of(node, target) for node in topology.nodes}
    check_attached(topology, targets)
    diallers = plan.diallers(topology)
    dialects = {
        node.name: dialect_of(node, targets[node.name], under_test=target)
        for node in topology.nodes
    }
    return {
        node.name: MeshNode(
            node,
            launcher_of(
                node,
                targets[node.name],
                ready_limit=ready_limit,
                front=Front(diallers[node.name], private=True, rng=rng)
                if node.name in diallers
                else None,
                interceptors=[rpc_faults[node.name]] if node.name in rpc_faults else (),
            ),
            credentials=_credentials(node, targets[node.name], credentials),
            dialect=dialects[node.name],
        )
        for node in topology.nodes
    }


def _credentials(
    node: Node, target: Target, credentials: MeshCredentials
) -> Callable[[], ClientCredentials]:
    if isinstance(target, AttachTarget) and node.tls is None and node.token is None:
        access = target.access
        return lambda: ClientCredentials(
            tls=access.tls,
            ca=access.ca,
            cert=access.cert,
            key=access.key,
            server_name=access.server_name,
            token=access.token,
        )
    return functools.partial(credentials.client_of, node)


def services_of(
    topology: Topology,
    *,
    plan: FaultPlan,
    rng: random.Random,
    credentials: MeshCredentials,
    databases: Databases,
    texts: Texts,
) -> dict[str, MeshService]:
    """Returns the services by name."""
    return {
        service.name: MeshService(
            service,
            _running(service, plan, rng, credentials, databases, texts),
            credentials=functools.partial(credentials.client_of, as_node(service)),
            database_url=functools.partial(databases.url, service),
        )
        for service in topology.services
    }


def _running(
    service: Service,
    plan: FaultPlan,
    rng: random.Random,
    credentials: MeshCredentials,
    databases: Databases,
    texts: Texts,
) -> RunningService:
    client = functools.partial(credentials.client_of, as_node(service))
    if not service.launched:
        front = Front(rng=rng) if service.name in plan.nodes else None
        return ExternalService(service, credentials=client, front=front)

    def variables() -> dict[str, str]:
        url = databases.url(service)
        return {} if url is None else {"DATABASE_URL": url}

    return ServiceProcess(
        service,
        # The harness's own connections are not among those that a limit counts.
        front=Front(private=True, rng=rng),
        look_up=texts.look_up,
        variables=variables,
        credentials=client,
        tls=lambda: credentials.of(as_node(service)).tls,
    )
