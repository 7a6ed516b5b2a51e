"""The model of a topology as people write it: nodes, links, shapes, and what they may hold.

How it becomes values is in `topology.building`.
"""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    Strict,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from collector_harness.documents import Short, StrictModel

__all__ = [
    "IMPLEMENTATION",
    "Environment",
    "LinkSpec",
    "Name",
    "NodeSpec",
    "ShapeSpec",
    "TlsSpec",
    "TopologySpec",
]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LINK = re.compile(r"\s*(\S+)\s*->\s*(\S+)\s*")
IMPLEMENTATION = re.compile(r"(?:(?P<file>[^:]+\.py)|[A-Za-z_][\w.]*):[A-Za-z_][\w.]*")


def _implementation(value: object) -> str:
    if isinstance(value, str) and IMPLEMENTATION.fullmatch(value):
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
