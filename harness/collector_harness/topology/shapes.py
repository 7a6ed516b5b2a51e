"""Topologies by shape: star, chain, ring, mesh, and random from a seed.

Nodes are called `n1`, `n2`, …; those of a star `hub`, `leaf1`, `leaf2`, …. The same
arguments give the same topology on every Python version and machine.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable

from collector_harness.errors import InvalidInput, Problem
from collector_harness.topology.values import Link, Node, Topology

__all__ = ["chain", "mesh", "random_topology", "ring", "star"]


def star(n: int, *, namespaces: Iterable[str] = (), probe: Iterable[str] = ()) -> Topology:
    """Returns a hub that is linked to each of `n - 1` leaves."""
    _check_count(n, shape="star", least=1)
    names = ["hub", *(f"leaf{number}" for number in range(1, n))]
    return Topology(
        nodes=_nodes(names, namespaces, probe),
        links=tuple(Link(source="hub", target=leaf) for leaf in names[1:]),
    )


def chain(n: int, *, namespaces: Iterable[str] = (), probe: Iterable[str] = ()) -> Topology:
    """Returns `n` nodes, each linked to the next."""
    _check_count(n, shape="chain", least=1)
    names = _names(n)
    return Topology(nodes=_nodes(names, namespaces, probe), links=_line(names))


def ring(n: int, *, namespaces: Iterable[str] = (), probe: Iterable[str] = ()) -> Topology:
    """Returns `n` nodes, three at least, each linked to the next and the last to the first."""
    _check_count(n, shape="ring", least=3)
    names = _names(n)
    return Topology(
        nodes=_nodes(names, namespaces, probe),
        links=(*_line(names), Link(source=names[-1], target=names[0])),
    )


def mesh(n: int, *, namespaces: Iterable[str] = (), probe: Iterable[str] = ()) -> Topology:
    """Returns `n` nodes with one link between any two, from the lower number to the higher."""
    _check_count(n, shape="mesh", least=1)
    names = _names(n)
    return Topology(
        nodes=_nodes(names, namespaces, probe),
        links=tuple(
            Link(source=source, target=target)
            for place, source in enumerate(names)
            for target in names[place + 1 :]
        ),
    )


def random_topology(
    n: int,
    *,
    seed: int,
    degree: float = 3.0,
    namespaces: Iterable[str] = (),
    probe: Iterable[str] = (),
) -> Topology:
    """Returns `n` connected nodes with random links and random namespaces.

    Every node can be reached from every other over links. `degree` is the mean number of
    links at a node, as near as `n` allows. Each node gets a random, non-empty part of
    `namespaces`; it serves the probe in each namespace of `probe` that it got, and in those
    that are not among `namespaces`.
    """
    _check_count(n, shape="random topology", least=1)
    if degree < 0:
        raise InvalidInput(Problem(message=f"a mean of {degree} links at a node cannot be"))
    # Only random() is promised to give the same numbers on every Python version.
    draw = random.Random(seed).random
    names = _names(n)
    pairs = _random_pairs(n, wanted=round(n * degree / 2), draw=draw)
    known = tuple(namespaces)
    probed = tuple(probe)
    nodes = []
    for name in names:
        own = tuple(namespace for namespace in known if draw() < 0.5)
        if known and not own:
            own = (known[_below(len(known), draw)],)
        nodes.append(
            Node(
                name=name,
                namespaces=own,
                probe=tuple(each for each in probed if each in own or each not in known),
            )
        )
    return Topology(
        nodes=tuple(nodes),
        links=tuple(Link(source=names[source], target=names[target]) for source, target in pairs),
    )


def _random_pairs(n: int, *, wanted: int, draw: Callable[[], float]) -> list[tuple[int, int]]:
    """Returns a random spanning tree, and further pairs until there are `wanted` of them."""
    order = list(range(n))
    for place in range(n - 1, 0, -1):
        other = _below(place + 1, draw)
        order[place], order[other] = order[other], order[place]
    pairs = [(order[_below(place, draw)], order[place]) for place in range(1, n)]
    joined = {frozenset(pair) for pair in pairs}
    free = [
        (source, target)
        for source in range(n)
        for target in range(source + 1, n)
        if frozenset((source, target)) not in joined
    ]
    while free and len(pairs) < wanted:
        source, target = free.pop(_below(len(free), draw))
        pairs.append((source, target) if draw() < 0.5 else (target, source))
    return pairs


def _below(limit: int, draw: Callable[[], float]) -> int:
    return int(draw() * limit)


def _names(n: int) -> list[str]:
    return [f"n{number}" for number in range(1, n + 1)]


def _nodes(
    names: Iterable[str], namespaces: Iterable[str], probe: Iterable[str]
) -> tuple[Node, ...]:
    shared, probed = tuple(namespaces), tuple(probe)
    return tuple(Node(name=name, namespaces=shared, probe=probed) for name in names)


def _line(names: list[str]) -> tuple[Link, ...]:
    return tuple(Link(source=source, target=target) for source, target in itertools.pairwise(names))


def _check_count(n: int, *, shape: str, least: int) -> None:
    if n < least:
        raise InvalidInput(
            Problem(
                message=f"a {shape} of {n} nodes cannot be",
                hint=f"it takes {least} or more",
            )
        )
