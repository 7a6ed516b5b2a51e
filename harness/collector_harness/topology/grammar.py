"""Topologies as people write them, read from text, a file or a mapping.

The same grammar stands in a file of its own, in the `topology` of a scenario, and in
the text or mapping that a Python caller gives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from collector_harness.documents import load, load_file, validate
from collector_harness.errors import InvalidInput, Problem
from collector_harness.topology.building import build_topology
from collector_harness.topology.layering import layered_topology
from collector_harness.topology.spec import TopologySpec
from collector_harness.topology.values import Topology

__all__ = ["parse_topology"]

_SHAPE = re.compile(r"\s*(star|chain|ring|mesh|random)\s*[:=( ]\s*(\d+)\s*\)?\s*")


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
        if (short := _SHAPE.fullmatch(topology)) is not None:
            raise InvalidInput(
                Problem(
                    message=f"'{topology}' is not a topology",
                    hint=f"write: 'shape: {{{short[1]}: {short[2]}}}'",
                )
            )
        document = load(topology, source or "<topology>")
    else:
        return _from_mapping(topology, source or "<topology>")
    document = layered_topology(document)
    return build_topology(validate(TopologySpec, document), document)


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
    document = layered_topology(load(text, source))
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
