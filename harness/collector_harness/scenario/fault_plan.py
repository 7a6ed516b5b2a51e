"""What a mesh must be able to do for the faults of a scenario, known before anything is started.

Pure: nothing is broken here.
"""

from __future__ import annotations

from collections.abc import Iterable

from collector_harness.faults.plan import FaultPlan
from collector_harness.faults.values import place_of
from collector_harness.scenario.model.faults import LinkFault
from collector_harness.scenario.model.steps import FaultStep
from collector_harness.topology.values import Topology

__all__ = ["plan_for"]


def plan_for(steps: Iterable[object], topology: Topology) -> FaultPlan:
    """Returns what a mesh must be able to do for the faults among these steps.

    A name that is known only when the step is done may be that of any node.
    """
    nodes: set[str] = set()
    links: set[frozenset[str]] = set()
    rpcs: set[str] = set()
    every = {node.name for node in topology.nodes} | {each.name for each in topology.services}

    def named(text: str) -> set[str]:
        return every if "${" in text else {text}

    for step in steps:
        if not isinstance(step, FaultStep):
            continue
        fault = step.fault
        if fault.pause is not None:
            nodes |= named(fault.pause)
        elif fault.restart is not None and fault.restart.port == "other":
            nodes |= named(fault.restart.node)
        elif fault.partition is not None:
            for name in (name for group in fault.partition for name in group):
                nodes |= named(name)
        elif fault.grpc is not None:
            rpcs |= named(fault.grpc.node)
        elif fault.kill is None and fault.restart is None:
            (kind,) = fault.model_fields_set
            written: LinkFault = getattr(fault, kind)
            text = written.link or written.node or ""
            place = place_of(text)
            if "${" in text:
                nodes |= every
            elif isinstance(place, str):
                nodes.add(place)
            else:
                links.add(frozenset(place))
    # A service that the harness starts has a door in any case: it makes no other mesh of it.
    planned = every - {each.name for each in topology.services if each.launched}
    return FaultPlan(
        nodes=frozenset(nodes & planned),
        links=frozenset(
            link for link in topology.links if frozenset((link.source, link.target)) in links
        ),
        rpcs=frozenset(rpcs & every),
    )
