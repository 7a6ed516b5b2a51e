"""The text that names a topology on the command line: a shape with a number, or a file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from collector_harness.commands.discovery import SUFFIX
from collector_harness.errors import InvalidInput, Problem
from collector_harness.topology.grammar import parse_topology
from collector_harness.topology.shapes import chain, mesh, random_topology, ring, star
from collector_harness.topology.values import Topology

__all__ = ["topology_of"]

_SHAPES: Final[Mapping[str, Callable[..., Topology]]] = {
    "star": star,
    "chain": chain,
    "ring": ring,
    "mesh": mesh,
    "random": random_topology,
}
_SHAPE: Final = re.compile(r"(?P<name>[a-z]+):(?P<number>[0-9]{1,6})")


def topology_of(text: str, *, namespaces: tuple[str, ...], seed: int) -> Topology:
    """Returns the topology that `star:5` or a YAML file stands for.

    A shape's nodes share the namespaces and serve the probe in them; a file says so itself.
    Of a scenario file it is the scenario's topology.
    Raises `InvalidInput` with a did-you-mean for a shape or a file that does not exist.
    """
    found = _SHAPE.fullmatch(text)
    if found is None:
        path = Path(text)
        if path.is_file():
            return _of_file(path)
        raise InvalidInput(_unknown(text))
    name, number = found["name"], int(found["number"])
    if name not in _SHAPES:
        raise InvalidInput(_unknown(text))
    if name == "random":
        return random_topology(number, seed=seed, namespaces=namespaces, probe=namespaces)
    return _SHAPES[name](number, namespaces=namespaces, probe=namespaces)


def _of_file(path: Path) -> Topology:
    if not path.name.endswith(SUFFIX):
        return parse_topology(path)
    from collector_harness.scenario.loading import load_scenario

    return load_scenario(path).topology


def _unknown(text: str) -> Problem:
    close = difflib.get_close_matches(text.partition(":")[0], _SHAPES, n=1)
    if close:
        _, colon, number = text.partition(":")
        number = number if colon and number.isdecimal() else "5"
        return Problem(
            message=f"'{text}' is neither a shape nor a file",
            hint=f"did you mean '{close[0]}:{number}'?",
        )
    return Problem(
        message=f"'{text}' is neither a shape nor a file",
        hint=f"name a YAML file, or one of {', '.join(f'{name}:N' for name in _SHAPES)}",
    )
