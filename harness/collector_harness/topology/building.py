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
from collector_harness.topology.spec import IMPLEMENTATION, NodeSpec, TlsSpec, TopologySpec
from collector_harness.topology.values import Link, Node, NodeTls, Served, Topology

__all__ = ["build_topology"]


def build_topology(
    spec: TopologySpec,
    document: Document,
    location: tuple[str | int, ...] = (),
    *,
    played: Iterable[Node] = (),
) -> Topology:
    """Returns the values of a checked text, which stands at `location` in `document`.

    `played` are further nodes, which the harness plays. Raises `InvalidInput` for what the values
    do not allow, such as a link to nowhere.
    """
    spec = _with_files(spec, document, location)
    try:
        return _build(spec, played)
    except InvalidInput as error:
        problems = [_placed(problem, spec, document, location) for problem in error.problems]
    raise InvalidInput(problems)


def _with_files(
    spec: TopologySpec, document: Document, location: tuple[str | int, ...]
) -> TopologySpec:
    """Returns the spec with whole paths to the files that handlers are in.

    Paths begin from the folder of the document. Raises `InvalidInput` for files that are not there.
    """
    problems: list[Problem] = []

    def whole(node: NodeSpec, *place: str) -> NodeSpec:
        serves = {}
        for namespace, implementations in node.serves.items():
            serves[namespace] = tuple(map(_whole_path, implementations))
            problems.extend(
                Problem(
                    message=f"there is no file '{written.rpartition(':')[0]}' with handlers",
                    position=document.position((*location, *place, "serves", namespace, index)),
                    hint=f"looked for {found.rpartition(':')[0]}",
                )
                for index, (written, found) in enumerate(
                    zip(implementations, serves[namespace], strict=True)
                )
                if found != written and not Path(found.rpartition(":")[0]).is_file()
            )
        changed: dict[str, object] = {"serves": serves} if node.serves else {}
        if node.tls is not None:
            files = {}
            for key in ("cert", "key", "ca"):
                written = getattr(node.tls, key)
                if written is None:
                    continue
                files[key] = str((document.folder or Path.cwd()) / written)
                if not Path(files[key]).is_file():
                    problems.append(
                        Problem(
                            message=f"there is no file '{written}' with a certificate or key",
                            position=document.position((*location, *place, "tls", key)),
                            hint=f"looked for {files[key]}",
                        )
                    )
            changed["tls"] = node.tls.model_copy(update=files)
        # What was not written stays unwritten: defaults fill it in.
        return node.model_copy(update=changed) if changed else node

    def _whole_path(implementation: str) -> str:
        match = IMPLEMENTATION.fullmatch(implementation)
        if match is None or match["file"] is None:
            return implementation
        return str((document.folder or Path.cwd()) / implementation)

    whole_spec = spec.model_copy(
        update={
            "defaults": whole(spec.defaults, "defaults"),
            "nodes": {name: whole(node, "nodes", name) for name, node in spec.nodes.items()},
        }
    )
    if problems:
        raise InvalidInput(problems)
    return whole_spec


def _build(spec: TopologySpec, played: Iterable[Node] = ()) -> Topology:
    shaped = _shaped(spec)
    nodes = {node.name: node for node in shaped.nodes} if shaped else {}
    for name, own in spec.nodes.items():
        nodes[name] = _node(name, own, spec.defaults, nodes.get(name))
    for name in nodes.keys() - spec.nodes.keys():
        nodes[name] = _node(name, NodeSpec(), spec.defaults, nodes[name])
    links = tuple(Link(source=link.source, target=link.target) for link in spec.links)
    return Topology(
        nodes=(*nodes.values(), *played), links=(*(shaped.links if shaped else ()), *links)
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
        collector=own.collector or defaults.collector,
        validation=validation is not False,
        registry=own.registry or defaults.registry,
        environment=tuple(sorted({**defaults.environment, **own.environment}.items())),
        tls=_node_tls((own if "tls" in own.model_fields_set else defaults).tls),
        token=(own if "token" in own.model_fields_set else defaults).token or None,
    )


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
    problem: Problem, spec: TopologySpec, document: Document, location: tuple[str | int, ...]
) -> Problem:
    """Returns the problem with the place of the link or node that it names."""
    place: tuple[str | int, ...] = ()
    for index, link in enumerate(spec.links):
        if f"link '{link.source} -> {link.target}'" in problem.message:
            place = ("links", index)
    for name, node in spec.nodes.items():
        if f"node '{name}' " in problem.message:
            key = "registry" if node.registry and "registry" in problem.message else "collector"
            place = ("nodes", name, key)
    if not place and spec.shape is not None:
        place = ("shape",)
    return replace(problem, position=document.position((*location, *place)))
