"""What a step names: nodes, links, services and namespaces, held against the topology.

Pure; which steps there are, and in which order, is in `checks`.
"""

from __future__ import annotations

from collector_harness.documents import did_you_mean
from collector_harness.scenario.findings import Findings, Values, mapping
from collector_harness.scenario.matching_syntax import Location
from collector_harness.scenario.sight import Known
from collector_harness.topology.values import REFERENCE, Topology

__all__ = ["Mentions"]


class Mentions:
    """Knows the names that there are, and tells of others."""

    def __init__(
        self, found: Findings, topology: Topology | None, known: Known, *, shared: bool
    ) -> None:
        """`topology` is None where it is broken: then nothing is said. `shared` is whether cases
        share their mesh.
        """
        self._found = found
        self._topology = topology
        self._known = known
        self._shared = shared
        self._nodes = None if topology is None else [node.name for node in topology.nodes]

    def check_caller(self, step: Values, place: Location) -> None:
        known = [*(self._nodes or ()), *self._known.services, *self._known.peers]
        via = step.get("via")
        outside = "http" in step or "sql" in step or place == ("defaults",)
        if isinstance(via, str) and ":" in via and outside:
            return  # the URL of what is no part of the mesh
        self._check_name(via, (*place, "via"), known)

    def check_node(self, name: object, place: Location) -> None:
        known = [*(self._nodes or ()), *self._known.services, *self._known.peers]
        self._check_name(name, place, known)

    def _check_name(self, name: object, place: Location, known: list[str]) -> None:
        if self._nodes is None or not isinstance(name, str) or "${" in name or name in known:
            return
        hint = did_you_mean(name, known, what="the nodes are")
        self._found.add(place, f"there is no node '{name}'", hint)

    def check_record(self, record: Values, place: Location) -> None:
        # None of them is allowed too: a registry must refuse it (REG-002).
        forms = [key for key in ("service", "services", "descriptor", "proto") if key in record]
        if len(forms) > 1:
            hint = f"keep one of: {', '.join(forms)}"
            self._found.add(place, "one thing is registered at a time", hint)
        elif "once" in record and "services" not in record:
            self._found.add((*place, "once"), "once goes with services", "leave it out", key=True)
        elif "methods" in record and forms and forms[0] != "service":
            hint = "methods belong to service"
            self._found.add(
                (*place, "methods"), f"methods do not go with {forms[0]}", hint, key=True
            )

    def check_routes(self, selection: Values, place: Location) -> None:
        if self._topology is None:
            return
        nodes = self._topology.nodes
        known = sorted({name for node in nodes for name in (*node.namespaces, *node.probe)})
        names = selection.get("namespaces")
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str) and "${" not in name and name not in known:
                hint = did_you_mean(name, known, what="the namespaces are")
                self._found.add(
                    (*place, "namespaces", index), f"no node has the namespace '{name}'", hint
                )

    def check_fault(self, fault: Values, place: Location) -> None:
        for key, value in fault.items():
            here = (*place, key)
            if isinstance(value, dict):
                self.check_node(value.get("node"), (*here, "node"))
                self._check_link(value.get("link"), (*here, "link"))
            elif isinstance(value, list):
                for outer, group in enumerate(value):
                    for inner, name in enumerate(group if isinstance(group, list) else ()):
                        self._check_divided(name, (*here, outer, inner))
            elif isinstance(value, str) and "->" in value:
                self._check_link(value, here)
            else:
                self.check_node(value, here)
        if self._shared:
            hint = "leave isolation out, or write isolation: fresh"
            self._found.add(place, "a fault would hurt the cases that share the mesh", hint)
        self._check_rpc_fault(mapping(fault.get("grpc")), (*place, "grpc"))

    def check_about(self, name: object, place: Location, action: str) -> None:
        """Checks a step that is about one node, or one service where it ends or starts it."""
        lives = action in ("start", "stop")
        if not (lives and name in self._known.services):
            self.check_node(name, place)
        if lives and self._shared:
            hint = "leave isolation out, or write isolation: fresh"
            self._found.add(place, "this would hurt the cases that share the mesh", hint)

    def _check_divided(self, name: object, place: Location) -> None:
        if name in self._known.services:
            hint = f"break it as a whole: fault: {{blackhole: {name}}}"
            self._found.add(place, f"'{name}' is a service, and no links lead to it", hint)
        else:
            self.check_node(name, place)

    def _check_rpc_fault(self, fault: Values, place: Location) -> None:
        if fault.get("node") in self._known.services:
            self._found.add(
                (*place, "node"),
                f"a gRPC fault needs a reference node in process, and '{fault.get('node')}' is a "
                "service",
                "break it as a whole, by latency, reset, kill and so on",
            )
        for node in self._topology.nodes if self._topology is not None else ():
            collector = node.collector
            if node.name == fault.get("node") and collector not in (None, REFERENCE):
                self._found.add(
                    (*place, "node"),
                    f"a gRPC fault needs a reference node in process, and '{node.name}' is "
                    f"'{collector}'",
                    "leave out its `collector`, or use a fault of a link",
                )

    def _check_link(self, link: object, place: Location) -> None:
        if not isinstance(link, str) or "${" in link or self._topology is None:
            return
        ends = [end.strip() for end in link.split("->")]
        known = [node.name for node in self._topology.nodes]
        if not set(ends) <= set(known):
            for end in ends:
                self.check_node(end, place)
        elif len(ends) == 2:
            links = self._topology.links
            if not any({each.source, each.target} == set(ends) for each in links):
                hint = did_you_mean(link, map(str, links), what="the links are")
                self._found.add(place, f"there is no link '{link}'", hint)
