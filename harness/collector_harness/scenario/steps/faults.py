"""Faults: from how a scenario writes them to what is done.

Breaking and healing are the mesh's (`mesh.breaking`); the steps under a fault are done by
`scenario.walk`; what a mesh needs for its faults is known before, in `scenario.fault_plan`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from collector_harness.errors import InvalidInput, Problem
from collector_harness.faults import values
from collector_harness.faults.values import place_of
from collector_harness.scenario.model.faults import Fault, GrpcFault, LinkFault
from collector_harness.scenario.scope import Scope
from collector_harness.scenario.values import Template

__all__ = ["fault_of"]


def fault_of(written: Fault, scope: Scope) -> values.Fault:
    """Returns the fault that a step does, with its paths replaced."""
    if written.kill is not None:
        return values.Kill(node=scope.text(written.kill))
    if written.pause is not None:
        return values.Pause(node=scope.text(written.pause))
    if written.restart is not None:
        moved = written.restart.port == "other"
        return values.Restart(node=scope.text(written.restart.node), moved=moved)
    if written.partition is not None:
        return values.Partition(
            groups=tuple(tuple(scope.text(name) for name in group) for group in written.partition)
        )
    if written.grpc is not None:
        return _rpc_fault(written.grpc, scope)
    (kind,) = written.model_fields_set
    return _disturb(cast(values.Kind, kind), getattr(written, kind), scope)


def _disturb(kind: values.Kind, written: LinkFault, scope: Scope) -> values.Disturb:
    return values.Disturb(
        kind=kind,
        place=_place(written, scope),
        direction=written.direction,
        delay=_duration(written.delay, scope),
        jitter=_duration(written.jitter, scope),
        bytes_per_second=_count(written.bytes_per_second, scope) or 0,
        probability=1.0 if written.probability is None else written.probability,
        connections=_count(written.connections, scope) or 0,
    )


def _place(written: LinkFault, scope: Scope) -> values.Place:
    if written.link is not None:
        return place_of(scope.text(written.link))
    assert written.node is not None
    return place_of(scope.text(written.node))


def _rpc_fault(written: GrpcFault, scope: Scope) -> values.RpcFault:
    status = None if written.status is None else scope.text(written.status)
    if status is not None and status not in values.FAILURES:
        raise InvalidInput(
            Problem(
                message=f"'{status}' is no failure of gRPC",
                hint=f"there are: {', '.join(values.FAILURES)}",
            )
        )
    return values.RpcFault(
        node=scope.text(written.node),
        rpc=scope.text(written.rpc),
        status=status,
        message="" if written.message is None else scope.text(written.message),
        delay=_duration(written.delay, scope),
        drop_after=_count(written.drop_after, scope),
    )


def _duration(written: timedelta | Template | None, scope: Scope) -> timedelta:
    return timedelta() if written is None else scope.duration(written)


def _count(written: int | Template | None, scope: Scope) -> int | None:
    return None if written is None else scope.count(written)
