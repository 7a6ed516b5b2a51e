"""The model of a topology as people write it: nodes, links, shapes, and what they may hold.

How it becomes values is in `topology.building`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    Strict,
    StrictBool,
    StringConstraints,
    model_validator,
)

from collector_harness.documents import Short, StrictModel
from collector_harness.topology.service_spec import ServiceSpec, WrittenAddress
from collector_harness.topology.terms import (
    FILE,
    IMPLEMENTATION,
    Environment,
    Implementations,
    Name,
    Names,
)
from collector_harness.topology.tls_spec import TlsSpec, WrittenTls
from collector_reference.registry.notation import parse_registry

__all__ = [
    "IMPLEMENTATION",
    "Environment",
    "LinkSpec",
    "Name",
    "NodeSpec",
    "ShapeSpec",
    "TlsSpec",
    "TopologySpec",
    "with_services",
]

_LINK = re.compile(r"\s*(\S+)\s*->\s*(\S+)\s*")


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
    dialect: Literal["native", "accretional"] | None = Field(
        default=None,
        description="How it lays out ConnectRequest; as the collector under test without.",
    )
    environment: Environment = Field(
        default_factory=dict, description="Further environment variables of its process."
    )
    address: WrittenAddress | None = Field(
        default=None, description="Where it already runs: a node that the harness does not start."
    )
    tls: WrittenTls = Field(
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

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.store is not None:
            try:
                parse_registry(self.store)
            except ValueError as error:
                raise ValueError(
                    f"'{self.store}' is not a store: {error}\n"
                    "write memory, sqlite:FILE or etcd:HOST:PORT/PREFIX"
                ) from None
        if self.address is not None:
            given = self.model_fields_set & {"collector", "environment", "serves", "store"}
            if given:
                raise ValueError(
                    f"'{min(given)}' is for nodes that the harness starts\ntake it away, or "
                    "`address`"
                )
        return self


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

    file: Annotated[str, StringConstraints(pattern=FILE)] | None = Field(
        default=None,
        description="A file with a topology that this one begins with, by its path from here: "
        "mappings are joined key by key, and anything else said here stands in its place.",
    )
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
    services: dict[Name, ServiceSpec] = Field(
        default_factory=dict, description="Services beside the collectors, by name."
    )
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


def with_services(spec: TopologySpec, services: Mapping[str, ServiceSpec]) -> TopologySpec:
    """Returns the spec with services that were written beside it."""
    if not services:
        return spec
    return spec.model_copy(update={"services": {**spec.services, **services}})
