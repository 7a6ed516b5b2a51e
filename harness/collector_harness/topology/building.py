"""From the model of a topology to its values, each problem at its place in the text.

What a topology must fulfil is checked by its values; this module adds where in the text
it went wrong, and finds the files that the text names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from collector_harness.documents import Document
from collector_harness.errors import InvalidInput, Problem
from collector_harness.topology import shapes
from collector_harness.topology.files import with_files
from collector_harness.topology.service_spec import as_service
from collector_harness.topology.spec import NodeSpec, TopologySpec
from collector_harness.topology.tls_spec import TlsSpec
from collector_harness.topology.values import Link, Node, NodeTls, Served, Topology

__all__ = ["build_topology"]


def build_topology(
    spec: TopologySpec,
    document: Document,
    location: tuple[str | int, ...] = (),
    *,
    played: Iterable[Node] = (),
    services_at: tuple[str | int, ...] | None = None,
) -> Topology:
    """Returns the values of a checked text, which stands at `location` in `document`.

    `played` are further nodes, which the harness plays; `services_at` is where services stand,
    unless that is in the text itself. Raises `InvalidInput` for what the values do not allow, such
    as a link to nowhere.
    """
    services = services_at or (*location, "services")
    spec = with_files(spec, document, location, services=services)
    try:
        return _build(spec, played)
    except InvalidInput as error:
        problems = [_placed(each, spec, document, location, services) for each in error.problems]
    raise InvalidInput(problems)


def _build(spec: TopologySpec, played: Iterable[Node] = ()) -> Topology:
    shaped = _shaped(spec)
    nodes = {node.name: node for node in shaped.nodes} if shaped else {}
    for name, own in spec.nodes.items():
        nodes[name] = _node(name, own, spec.defaults, nodes.get(name))
    for name in nodes.keys() - spec.nodes.keys():
        nodes[name] = _node(name, NodeSpec(), spec.defaults, nodes[name])
    links = tuple(Link(source=link.source, target=link.target) for link in spec.links)
    return Topology(
        nodes=(*nodes.values(), *played),
        links=(*(shaped.links if shaped else ()), *links),
        services=tuple(
            as_service(name, service, tls=_node_tls) for name, service in spec.services.items()
        ),
    )


def _node(name: str, own: NodeSpec, defaults: NodeSpec, shaped: Node | None) -> Node:
    """Joins what a node says itself with the defaults; its own word wins."""
    base = shaped or Node(
        name=name, namespaces=defaults.namespaces or (), probe=defaults.probe or ()
    )
    serves = own.serves or defaults.serves
    validation = own.validation if own.validation is not None else defaults.validation
    return replace(
        base,
        namespaces=base.namespaces if own.namespaces is None else own.namespaces,
        probe=base.probe if own.probe is None else own.probe,
        serves=tuple(
            Served(namespace=namespace, implementation=implementation)
            for namespace, implementations in serves.items()
            for implementation in implementations
        ),
        collector=_collector(own) or _collector(defaults),
        validation=validation is not False,
        registry=own.registry or defaults.registry,
        dialect=own.dialect or defaults.dialect,
        environment=tuple(sorted({**defaults.environment, **own.environment}.items())),
        tls=_node_tls((own if "tls" in own.model_fields_set else defaults).tls),
        token=(own if "token" in own.model_fields_set else defaults).token or None,
        protos=tuple(map(Path, own.protos if own.protos is not None else defaults.protos or ())),
        store=own.store or defaults.store,
        logs=(own if own.logs is not None else defaults).logs is not False,
    )


def _collector(spec: NodeSpec) -> str | None:
    return spec.collector if spec.address is None else f"attach:{spec.address}"


def _node_tls(spec: TlsSpec | None) -> NodeTls | None:
    if spec is None:
        return None
    files = {
        name: Path(written)
        for name in ("cert", "key", "ca")
        if (written := getattr(spec, name)) is not None
    }
    return NodeTls(**files, client_auth=spec.client_auth)


def _shaped(spec: TopologySpec) -> Topology | None:
    shape = spec.shape
    if shape is None:
        return None
    common: dict[str, Any] = {
        "namespaces": spec.defaults.namespaces or (),
        "probe": spec.defaults.probe or (),
    }
    if shape.random is not None:
        return shapes.random_topology(shape.random, seed=shape.seed, degree=shape.degree, **common)
    for make, count in (
        (shapes.star, shape.star),
        (shapes.chain, shape.chain),
        (shapes.ring, shape.ring),
    ):
        if count is not None:
            return make(count, **common)
    return shapes.mesh(shape.mesh or 0, **common)


def _placed(
    problem: Problem,
    spec: TopologySpec,
    document: Document,
    location: tuple[str | int, ...],
    services: tuple[str | int, ...],
) -> Problem:
    """Returns the problem with the place of the link or node that it names."""
    place: tuple[str | int, ...]
    for name in spec.services:
        if problem.message.startswith(f"service '{name}'"):
            return replace(problem, position=document.position((*services, name), key=True))
    place = ()
    for index, link in enumerate(spec.links):
        if f"link '{link.source} -> {link.target}'" in problem.message:
            place = ("links", index)
    for name, node in spec.nodes.items():
        if problem.message.startswith(f"node '{name}': "):
            return replace(
                problem, position=document.position((*location, "nodes", name), key=True)
            )
        if f"node '{name}' " in problem.message:
            key = "registry" if node.registry and "registry" in problem.message else "collector"
            place = ("nodes", name, key)
    if not place and spec.shape is not None:
        place = ("shape",)
    return replace(problem, position=document.position((*location, *place)))
