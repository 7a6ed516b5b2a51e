"""Topologies as people write them: the model of the text, and its turn into values.

The same grammar stands in a file of its own, in the `topology` of a scenario, and in
the text or mapping that a Python caller gives. What a topology must fulfil is checked
by its values; this module adds where in the text it went wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    Strict,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from collector_harness.documents import Document, Short, StrictModel, load, load_file, validate
from collector_harness.errors import InvalidInput, Problem
from collector_harness.topology import shapes
from collector_harness.topology.values import Link, Node, NodeTls, Served, Topology

__all__ = [
    "Environment",
    "LinkSpec",
    "NodeSpec",
    "ShapeSpec",
    "TlsSpec",
    "TopologySpec",
    "build_topology",
    "parse_topology",
]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LINK = re.compile(r"\s*(\S+)\s*->\s*(\S+)\s*")
_IMPLEMENTATION = re.compile(r"(?:(?P<file>[^:]+\.py)|[A-Za-z_][\w.]*):[A-Za-z_][\w.]*")


def _implementation(value: object) -> str:
    if isinstance(value, str) and _IMPLEMENTATION.fullmatch(value):
        return value
    raise ValueError(
        f"'{value}' is not a handler\nwrite module:attribute, such as app.orders:Orders, or "
        "file.py:attribute with a path from the folder of this file"
    )


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _name(value: object) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError(
        f"'{value}' cannot be the name of a node\nuse letters, digits, _ and -, a letter first"
    )


Name = Annotated[
    str,
    PlainValidator(_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"}),
]
Names = Annotated[tuple[str, ...], Strict(False)]
Implementation = Annotated[str, PlainValidator(_implementation), WithJsonSchema({"type": "string"})]
Implementations = Annotated[
    tuple[Implementation, ...],
    Strict(False),
    BeforeValidator(_listed),
    Short({"type": "string"}),
]


def _variable(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("the value of an environment variable is text\nput it in quotes")  # noqa: TRY004 - pydantic collects it
    return str(value)


Environment = dict[
    str, Annotated[str, PlainValidator(_variable), WithJsonSchema({"type": ["string", "number"]})]
]
"""Environment variables; numbers become text."""


def _tls(value: object) -> object:
    if value is True:
        return {"generate": True}
    if value == "mutual":
        return {"generate": True, "client_auth": True}
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - pydantic collects it
            f"'{value}' is not how a node speaks TLS\n"
            "write true, mutual, or the files {cert: ..., key: ..., ca: ...}"
        )
    return None if value is False else value


class TlsSpec(StrictModel):
    """The certificates of a node: files, or made for the run."""

    cert: str | None = Field(default=None, description="The file of its certificate.")
    key: str | None = Field(default=None, description="The file of its private key.")
    ca: str | None = Field(default=None, description="The file of what it trusts peers by.")
    client_auth: StrictBool = Field(default=False, description="Whether clients need one (mTLS).")
    generate: StrictBool = Field(
        default=False, description="Whether the harness makes certificates for the run."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        files = {name for name in ("cert", "key", "ca") if getattr(self, name) is not None}
        if self.generate and files:
            raise ValueError(
                "certificates are either given or generated\nleave out `generate`, or the files"
            )
        if not self.generate and not {"cert", "key"} <= files:
            raise ValueError(
                "a certificate needs `cert` and `key`\n"
                "or let the harness make one: tls: true, or tls: mutual"
            )
        if self.client_auth and not self.generate and "ca" not in files:
            raise ValueError("`client_auth` needs a `ca`, which clients are trusted by")
        return self


class NodeSpec(StrictModel):
    """A collector."""

    namespaces: Names | None = Field(
        default=None, description="The namespaces that it shares with its peers."
    )
    probe: Names | None = Field(
        default=None, description="Namespaces in which it serves conformance.Probe."
    )
    serves: dict[str, Implementations] = Field(
        default_factory=dict,
        description="Python handlers by namespace, as module:attribute or file.py:attribute; "
        "makes it a reference node.",
    )
    collector: str | None = Field(
        default=None,
        description="What it is: reference, exec:COMMAND, ...; the collector under test without.",
    )
    validation: StrictBool | None = Field(
        default=None, description="Whether it validates calls and guards its port. True by default."
    )
    registry: str | None = Field(
        default=None, description="The node whose registry it asks; its own without."
    )
    environment: Environment = Field(
        default_factory=dict, description="Further environment variables of its process."
    )
    address: str | None = Field(
        default=None, description="Where it already runs: a node that the harness does not start."
    )
    tls: Annotated[
        TlsSpec | None, BeforeValidator(_tls), Short({"enum": [True, False, "mutual"]})
    ] = Field(
        default=None,
        description="Its certificates; true or mutual for ones that are made for the run.",
    )
    token: str | StrictBool | None = Field(
        default=None,
        description="The bearer token that calls to it carry; true for tokens that are made for "
        "the run and that it demands.",
    )
    store: str | None = Field(default=None, description="Where it keeps registrations.")
    protos: Names | None = Field(
        default=None, description="Descriptor sets or .proto files of what it serves."
    )
    logs: StrictBool | None = Field(default=None, description="Whether its log lines are kept.")


class LinkSpec(StrictModel):
    """A connection that one node asks another for. It carries calls both ways."""

    source: str = Field(alias="from", description="The node that asks.")
    target: str = Field(alias="to", description="The node that is asked.")


def _link(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _LINK.fullmatch(value)
    if match is not None and "->" not in match[2] and "<" not in match[1]:
        return {"from": match[1], "to": match[2]}
    if "<->" in value:
        raise ValueError(
            f"'{value}' is not a link\na link carries calls both ways already: write "
            f"{value.replace('<->', '->')}"
        )
    raise ValueError(f"'{value}' is not a link\nwrite for example: west -> east")


class ShapeSpec(StrictModel):
    """Nodes and links by a pattern; exactly one of star, chain, ring, mesh, random."""

    star: int | None = Field(default=None, description="hub, and leaf1, leaf2, ... linked to it.")
    chain: int | None = Field(default=None, description="n1 -> n2 -> n3 and so on.")
    ring: int | None = Field(default=None, description="A chain whose ends are linked.")
    mesh: int | None = Field(default=None, description="A link between any two nodes.")
    random: int | None = Field(
        default=None, description="Random links; every node can be reached over some."
    )
    seed: int = Field(default=0, description="For random: the same seed gives the same topology.")
    degree: Annotated[float, Strict(False)] = Field(
        default=3.0, ge=0, description="For random: the mean number of links at a node."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set - {"seed", "degree"}) != 1:
            raise ValueError("a shape is exactly one of: star, chain, ring, mesh, random")
        if self.random is None and self.model_fields_set & {"seed", "degree"}:
            raise ValueError("seed and degree are for a random shape only")
        return self


def _node_or_nothing(value: object) -> object:
    return {} if value is None else value


class TopologySpec(StrictModel):
    """Collectors, and who is connected to whom."""

    nodes: dict[
        Name,
        Annotated[
            NodeSpec,
            BeforeValidator(_node_or_nothing),
            Short({"type": "null"}),
        ],
    ] = Field(default_factory=dict, description="The nodes by name; the name is the collector id.")
    links: Annotated[
        tuple[Annotated[LinkSpec, BeforeValidator(_link), Short({"type": "string"})], ...],
        Strict(False),
    ] = Field(default=(), description="The connections, such as `west -> east`.")
    shape: ShapeSpec | None = Field(
        default=None, description="Nodes and links by a pattern, beside those that are spelt out."
    )
    defaults: NodeSpec = Field(
        default_factory=NodeSpec, description="What nodes have that do not say otherwise."
    )

    @model_validator(mode="after")
    def _has_nodes(self) -> Self:
        if not self.nodes and self.shape is None:
            raise ValueError("a topology needs at least one node\nwrite nodes, or a shape")
        return self


def parse_topology(
    topology: str | Path | Mapping[str, object] | Topology, *, source: str | None = None
) -> Topology:
    """Returns the topology that a text, a file or a mapping describes.

    A `Topology` is returned as it is. A `Path` is read; text is YAML. In a mapping, the
    implementations in `serves` may be objects. Raises `InvalidInput` with every problem,
    each at its line.
    """
    if isinstance(topology, Topology):
        return topology
    if isinstance(topology, Path):
        document = load_file(topology, source)
    elif isinstance(topology, str):
        document = load(topology, source or "<topology>")
    else:
        return _from_mapping(topology, source or "<topology>")
    return build_topology(validate(TopologySpec, document), document)


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
        match = _IMPLEMENTATION.fullmatch(implementation)
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


def _from_mapping(mapping: Mapping[str, object], source: str) -> Topology:
    """Checks a mapping as text would be, with objects standing in for their names."""
    objects: dict[str, object] = {}

    def plain(value: object) -> object:
        if value is None or isinstance(value, str | int | float):
            return value
        if isinstance(value, Mapping):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [plain(item) for item in value]
        name = f"given:object{len(objects)}"
        objects[name] = value
        return name

    text = yaml.safe_dump(plain(mapping), sort_keys=False, allow_unicode=True)
    document = load(text, source)
    topology = build_topology(validate(TopologySpec, document), document)
    if not objects:
        return topology
    nodes = tuple(
        replace(
            node,
            serves=tuple(
                replace(
                    served,
                    implementation=objects.get(str(served.implementation), served.implementation),
                )
                for served in node.serves
            ),
        )
        for node in topology.nodes
    )
    return replace(topology, nodes=nodes)
