"""What a mesh is before it runs: nodes and links as frozen values, checked when they are made.

Nothing here starts anything. Values of equal definition are equal and hash
alike, so that running meshes can be pooled by them.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import InvalidInput, Problem
from collector_harness.peers.values import PlayedPeer
from collector_harness.topology.service_problems import service_problems
from collector_harness.topology.services import Service
from collector_harness.topology.tls import NodeTls

__all__ = ["REFERENCE", "Link", "Node", "NodeTls", "Served", "Topology"]

REFERENCE = "reference"
"""The value of `Node.collector` for a node that is always the reference collector."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """Handlers that a node serves in a namespace."""

    namespace: str
    implementation: object
    """`module:attribute`, `/path/file.py:attribute`, or the object itself: a class (made anew
    for each start of the node) or an instance whose public methods are the service's methods."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One collector."""

    name: str
    """Unique in its topology; also the collector's id."""
    namespaces: tuple[str, ...] = ()
    """The namespaces that it shares with its peers."""
    probe: tuple[str, ...] = ()
    """Namespaces in which it serves the probe service `conformance.Probe`."""
    serves: tuple[Served, ...] = ()
    """Handlers of its own. A node that has some is always a reference collector."""
    collector: str | None = None
    """What it is: None for the collector under test (the reference where none is named),
    `reference`, or a target such as `exec:COMMAND`."""
    validation: bool = True
    """Whether it validates calls and guards its port."""
    registry: str | None = None
    """The node whose registry its dispatcher asks; None for its own, over the loopback."""
    dialect: Literal["native", "accretional"] | None = None
    """How it reads ConnectRequest; None for what its target, or the one under test, declares."""
    environment: tuple[tuple[str, str], ...] = ()
    """Further environment variables, for a node that is a process."""
    tls: NodeTls | None = None
    """Its certificate; None for plaintext."""
    token: str | Literal[True] | None = None
    """The bearer token that the harness's calls to it carry; True where the harness makes tokens
    for the run, which the node then demands, and gives each node one of its own."""
    protos: tuple[Path, ...] = ()
    """Descriptor sets or .proto files of what it serves, beside what it tells by reflection."""
    store: str | None = None
    """Where it keeps registrations: `memory`, `sqlite:FILE` or `etcd:...`; its own choice where
    None."""
    logs: bool = True
    """Whether its log lines are kept."""
    peer: PlayedPeer | None = None
    """How the harness plays it; None for a collector that is none of the harness's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A connection that `source` asks `target` for. It carries calls both ways (CON-006)."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """Nodes and the links between them.

    Raises `InvalidInput` naming every duplicate node, every link to a node that does not
    exist, every repeated link, every registry that is not a node, and every reference to what is
    not there.
    """

    nodes: tuple[Node, ...]
    links: tuple[Link, ...] = field(default=())
    services: tuple[Service, ...] = field(default=())
    """What there is beside the collectors; no links lead to it."""
    _hash: int | None = field(default=None, init=False, repr=False, compare=False)
    """Kept, since meshes are found by their topology before each case."""

    def __hash__(self) -> int:
        """Raises `TypeError` where a node serves an object that cannot be hashed."""
        if self._hash is None:
            object.__setattr__(self, "_hash", hash((self.nodes, self.links, self.services)))
        assert self._hash is not None
        return self._hash

    def __post_init__(self) -> None:
        problems = [
            *_node_problems(self.nodes),
            *_link_problems(self.nodes, self.links),
            *service_problems(self.nodes, self.services),
        ]
        if problems:
            raise InvalidInput(problems)

    def node(self, name: str) -> Node:
        """Returns the node of that name; raises `InvalidInput` with a did-you-mean."""
        for node in self.nodes:
            if node.name == name:
                return node
        known = [*(node.name for node in self.nodes), *(each.name for each in self.services)]
        raise InvalidInput(
            Problem(
                message=f"there is no node '{name}'",
                hint=did_you_mean(name, known, what="there are"),
            )
        )

    def service(self, name: str) -> Service | None:
        """Returns the service of that name; None where there is none."""
        return next((each for each in self.services if each.name == name), None)


def _node_problems(nodes: tuple[Node, ...]) -> list[Problem]:
    if not nodes:
        return [Problem(message="a topology needs at least one node")]
    problems = [
        Problem(message=f"{count} nodes are called '{name}'", hint="give each node its own name")
        for name, count in Counter(node.name for node in nodes).items()
        if count > 1
    ]
    names = {node.name for node in nodes}
    for node in nodes:
        if not node.name:
            problems.append(Problem(message="a node needs a name"))
        if node.registry is not None and node.registry not in names:
            problems.append(
                _unknown(node.registry, nodes, what=f"node '{node.name}' uses the registry of")
            )
        if node.serves and node.collector not in (None, REFERENCE):
            problems.append(
                Problem(
                    message=f"node '{node.name}' serves Python handlers, but is "
                    f"'{node.collector}', which cannot load them",
                    hint="leave out `collector`, or let the collector serve its own handlers",
                )
            )
    return problems


def _link_problems(nodes: tuple[Node, ...], links: tuple[Link, ...]) -> list[Problem]:
    names = {node.name for node in nodes}
    problems = [
        _unknown(end, nodes, what=f"link '{link}' leads to")
        for link in links
        for end in (link.source, link.target)
        if end not in names
    ]
    problems += [
        Problem(message=f"link '{link}' is given {count} times", hint="leave one of them")
        for link, count in Counter(links).items()
        if count > 1
    ]
    speaks_tls = {node.name: node.tls is not None for node in nodes}
    problems += [
        Problem(
            message=f"link '{link}' joins a node with TLS and one without",
            hint="give both `tls`, or neither: a collector dials as it listens",
        )
        for link in links
        if speaks_tls.get(link.source) != speaks_tls.get(link.target)
        and {link.source, link.target} <= names
    ]
    problems += [
        Problem(message=f"link '{link}' joins a node to itself")
        for link in links
        if link.source == link.target
    ]
    return problems


def _unknown(name: str, nodes: tuple[Node, ...], *, what: str) -> Problem:
    known = [node.name for node in nodes]
    close = difflib.get_close_matches(name, known, n=1)
    return Problem(
        message=f"{what} '{name}', which is not a node",
        hint=f"did you mean '{close[0]}'?" if close else f"the nodes are: {', '.join(known)}",
    )
