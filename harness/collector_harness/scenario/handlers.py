"""The services that a scenario's nodes serve by handlers, as far as their source tells, and those
that it registers: what is wrong with the names of them, in the topology and in calls.

Nothing is imported, and where the source does not tell, nothing is said: the run does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from collector_harness.documents import Document, did_you_mean
from collector_harness.errors import Problem
from collector_harness.scenario.model import RegisterStep, Registration, Step
from collector_harness.topology.handler_source import names_without, written_service
from collector_harness.topology.services import PythonFactory
from collector_harness.topology.values import REFERENCE, Node, Topology

__all__ = ["Handlers", "handler_problems"]

_OURS = (None, REFERENCE, f"process:{REFERENCE}")

Location = tuple[str | int, ...]


def handler_problems(topology: Topology, document: Document) -> Iterator[Problem]:
    """Yields every handler and factory that the module does not have which is to have it."""
    for node in topology.nodes:
        places: dict[str, int] = {}
        for served in node.serves:
            index = places[served.namespace] = places.get(served.namespace, -1) + 1
            within: Location = ("serves", served.namespace, index)
            what = f"the handlers of namespace '{served.namespace}' on node '{node.name}'"
            nodes: Location = ("topology", "nodes", node.name, *within)
            spots = (nodes, ("topology", "defaults", *within))
            yield from _lacking(served.implementation, what, spots, document)
    for service in topology.services:
        if isinstance(service.start, PythonFactory):
            beside: Location = ("services", service.name, "python")
            what = f"service '{service.name}'"
            spots = (beside, ("topology", *beside))
            yield from _lacking(service.start.reference, what, spots, document)


def _lacking(
    reference: object, what: str, spots: Iterable[Location], document: Document
) -> Iterator[Problem]:
    names = names_without(reference) if isinstance(reference, str) else None
    if names is None:
        return
    place, _, attribute = str(reference).rpartition(":")
    module = place if place.endswith(".py") else place.rpartition(":")[2]
    found = next((spot for spot in spots if document.has(spot)), ("topology",))
    yield Problem(
        message=f"{what} cannot be imported: '{module}' has no '{attribute}'",
        position=document.position(found),
        hint=did_you_mean(attribute, names, what="it has"),
    )


class Handlers:
    """The services and methods that nodes serve by handlers of their own, by namespace."""

    def __init__(self, topology: Topology, steps: Iterable[Step]) -> None:
        self._methods: dict[str, dict[str, frozenset[str]]] = {}
        self._others: set[tuple[str, str, str]] = set()
        self._open = {
            space for node in topology.nodes if _may_have_more(node) for space in _of(node)
        }
        """Namespaces in which there may be services that nothing is known of."""
        self._registered: dict[tuple[str, str], frozenset[str]] = {}
        """The methods that are registered, by namespace and service."""
        self._unnamed = False
        """Whether something is registered under names that are known later."""
        for step in steps:
            if isinstance(step, RegisterStep):
                self._note(step.record)
        for node in topology.nodes:
            for served in node.serves:
                self._take(served.namespace, served.implementation)

    def _take(self, namespace: str, implementation: object) -> None:
        service = written_service(implementation) if isinstance(implementation, str) else None
        if service is None:
            self._open.add(namespace)
            return
        known = self._methods.setdefault(namespace, {})
        known[service.name] = known.get(service.name, frozenset()) | service.methods
        self._others |= {(namespace, service.name, other) for other in service.others}

    def _note(self, record: Registration) -> None:
        """Takes what a step registers, as far as its names are known."""
        descriptor = record.descriptor or {}
        service = record.service or descriptor.get("name")
        written = record.methods or descriptor.get("method") or ()
        methods = [
            each.get("name") if isinstance(each, Mapping) else each
            for each in (written if isinstance(written, list | tuple) else ())
        ]
        names = [record.namespace, service, *methods]
        if any("${" in str(name) for name in names) or record.services or record.proto:
            self._unnamed = True
        elif record.namespace and service:
            key = (record.namespace, str(service))
            known = frozenset(str(each) for each in methods if each)
            self._registered[key] = self._registered.get(key, frozenset()) | known

    def registry_faults(
        self, namespace: str, service: str, method: str | None = None
    ) -> Iterator[tuple[str, str | None]]:
        """Yields what is wrong with asking the registry for what must be there, and what to do: a
        method that a registered service has not, or a name that resembles a registered one.
        """
        here = [name for space, name in self._registered if space == namespace]
        if self._unnamed or namespace in self._open or not here:
            return
        methods = self._registered.get((namespace, service))
        if methods is None:
            known = [*here, *self._methods.get(namespace, {})]
            hint = did_you_mean(service, known, what="")
            if service not in known and hint is not None and hint.startswith("did"):
                told = f"nobody registers '{service}' in the namespace '{namespace}'"
                yield f"{told}, and it is expected to be there", hint
        elif method is not None and methods and method not in methods:
            told = f"the service '{service}' is registered without a method '{method}'"
            hint = did_you_mean(method, sorted(methods), what="its methods are")
            yield f"{told}, and it is expected to be there", hint

    def faults(self, namespace: str, service: str, method: str) -> Iterator[tuple[str, str | None]]:
        """Yields what is wrong with a call that is expected to go well, and what to do."""
        known = self._methods.get(namespace, {})
        if namespace in self._open or self._unnamed or (namespace, service) in self._registered:
            return
        if service not in known:
            hint = did_you_mean(service, known, what="")
            if hint is not None and hint.startswith("did"):
                told = f"nobody serves '{service}' in the namespace '{namespace}'"
                yield f"{told}, and the call is expected to go well", hint
            return
        methods = known[service]
        if method not in methods and (namespace, service, method) not in self._others:
            told = f"the service '{service}' has no method '{method}'"
            hint = did_you_mean(method, sorted(methods), what="its methods are")
            yield f"{told}, and the call is expected to go well", hint


def _of(node: Node) -> set[str]:
    return {*node.namespaces, *(served.namespace for served in node.serves)}


def _may_have_more(node: Node) -> bool:
    """Whether a node may serve what the scenario does not say: it is another program, or was told
    of services behind it, or answers as it likes.
    """
    if node.peer is not None:
        return True
    return node.collector not in _OURS or bool(node.environment)
