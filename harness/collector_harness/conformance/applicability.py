"""Why a case cannot show anything of a collector, where it cannot. Pure.

What follows for the requirement is decided in `verdicts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from collector_harness.conformance.requirements import Requirement
from collector_harness.conformance.suite import SuiteCase
from collector_harness.scenario.loading import Scenario
from collector_harness.scenario.model import ConnectStep, FaultStep
from collector_harness.scenario.model.calls import RegisterStep
from collector_harness.scenario.needs import OWN_SOCKETS, lacks
from collector_harness.targets import AttachTarget, ExecTarget, PythonTarget, Reference, Target
from collector_harness.topology.values import Node

__all__ = ["Shown", "is_left_out", "unsupported"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What is known of the collector before its cases are run."""

    capabilities: Mapping[str, bool]
    """Those that it was seen to have, or not to have."""
    collector_id: str = ""
    """The id by which it names itself; asked of one that runs already only."""
    probes: frozenset[str] = frozenset()
    """The namespaces in which it carries the probe service; as above."""


def is_left_out(requirement: Requirement, case: SuiteCase, target: Target) -> bool:
    """Tells whether a case only adds to what others of its requirement show: from outside, or of a
    collector in process by its Python API.
    """
    if case.scenario is not None and OWN_SOCKETS in case.scenario.file.needs:
        return isinstance(target, Reference | PythonTarget)
    return (
        case.scenario is None
        and "lib" not in requirement.marks
        and isinstance(target, ExecTarget | AttachTarget)
    )


def unsupported(case: SuiteCase, target: Target, shown: Shown) -> str:
    """Returns why the case cannot show anything of this target; empty where it can."""
    scenario = case.scenario
    if scenario is None:
        if isinstance(target, ExecTarget | AttachTarget):
            return "it can be seen only through the Python API"
        return ""
    if not shown.capabilities.get("probe", True) and any(
        node.probe and node.collector is None for node in scenario.topology.nodes
    ):
        return "the target carries no probe service"
    lacking = lacks(set(scenario.file.needs) - _had(target, shown))
    if lacking:
        return lacking
    if isinstance(target, AttachTarget):
        return next(_beyond_reach(scenario, shown), "")
    return ""


def _had(target: Target, shown: Shown) -> AbstractSet[str]:
    declared = target.declares.capabilities
    seen = {name for name, has in shown.capabilities.items() if has}
    return seen if declared is None else (declared - {OWN_SOCKETS}) | (seen & {OWN_SOCKETS})


def _beyond_reach(scenario: Scenario, shown: Shown) -> Iterator[str]:
    """Yields what a case asks for that a collector which runs already cannot be given."""
    own = [node for node in scenario.topology.nodes if node.collector is None and not node.peer]
    if len(own) != 1:
        yield f"it takes {len(own)} collectors that the harness starts, and one is running"
        return
    (node,) = own
    if any(node.name in (link.source, link.target) for link in scenario.topology.links):
        yield "it takes links, which the harness makes and ends where it starts the collector"
    for _, step in scenario.steps():
        if isinstance(step, FaultStep):
            yield "it breaks something, and a collector that runs already is left alone"
        # A call by its name may be one of these too, and the name may be a path into the cases.
        named = str(step) if step.action == "call" else ""
        if isinstance(step, ConnectStep | RegisterStep) or any(
            word in named for word in ("/Connect", "/Register", "${")
        ):
            yield "it would leave something behind in a collector that goes on"
    yield from _otherwise(node, shown)


def _otherwise(node: Node, shown: Shown) -> Iterator[str]:
    if (
        node.validation is False
        or node.registry not in (None, node.name)
        or node.environment
        or node.dialect is not None
    ):
        yield "it takes a collector that is started with other settings"
    if node.tls is not None or node.token is not None:
        yield "it takes a collector that is started with certificates or tokens"
    lacking = sorted(set(node.probe) - shown.probes)
    if lacking:
        yield f"it takes the probe service in {', '.join(lacking)}"
    if node.name != shown.collector_id:
        called = f"'{shown.collector_id}'" if shown.collector_id else "otherwise"
        yield f"it takes a collector called '{node.name}', and this one is called {called}"
