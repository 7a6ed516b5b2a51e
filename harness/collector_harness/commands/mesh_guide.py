"""What `up` prints about a mesh: pure, from a topology and its addresses to lines.

The calls to paste are meant for this very mesh: each is answered OK as it stands.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector_harness.reports.escaping import printable, width
from collector_harness.reports.lines import Line, Span, line
from collector_harness.topology.services import Service
from collector_harness.topology.values import Node, Topology

__all__ = ["PastedCall", "calls_to_paste", "mesh_guide"]

PROBE = "conformance.Probe"


@dataclass(frozen=True, kw_only=True, slots=True)
class PastedCall:
    """A call that somebody may try."""

    what: str
    """What it shows."""
    address: str
    method: str
    """Such as `collector.CollectorRegistry/ListServices`."""
    request: Mapping[str, object]
    """As JSON values."""

    def ours(self) -> str:
        """The call as a command line of `collector-harness`."""
        words = ["collector-harness", "call", self.address, self.method]
        return shlex.join([*words, json.dumps(self.request)] if self.request else words)

    def grpcurl(self) -> str:
        """The call as a command line of grpcurl, which finds the types by reflection."""
        data = ["-d", json.dumps(self.request)] if self.request else []
        return shlex.join(["grpcurl", "-plaintext", *data, self.address, self.method])


def mesh_guide(topology: Topology, addresses: Mapping[str, str]) -> tuple[Line, ...]:
    """Returns what somebody needs to use a running mesh: what there is, and calls to paste.

    `addresses` are those of its nodes and services.
    """
    lines = [line(Span(", ".join(_counts(topology)), "strong"), "; Ctrl-C stops them"), ()]
    lines += _table(_nodes(topology.nodes, addresses))
    if topology.services:
        lines += [(), *_table(_services(topology.services, addresses))]
    if topology.links:
        lines += [(), line(Span("links", "strong"))]
        lines += _links(topology)
    lines += [(), line(Span("calls to paste", "strong"))]
    for call in calls_to_paste(topology, addresses):
        lines += [
            line("  ", Span(f"# {printable(call.what)}", "faint")),
            line("  ", printable(call.ours())),
            line("  ", printable(call.grpcurl())),
        ]
    return tuple(lines)


def calls_to_paste(topology: Topology, addresses: Mapping[str, str]) -> tuple[PastedCall, ...]:
    """Returns calls that this mesh answers with OK.

    With a probe that a linked node serves, one call is routed there; otherwise the calls only
    ask what is registered and whether the node is healthy.
    """
    calls = list(_routed(topology, addresses))
    first = topology.nodes[0].name
    return (
        *calls,
        PastedCall(
            what=f"the services that '{first}' knows",
            address=addresses[first],
            method="collector.CollectorRegistry/ListServices",
            request={},
        ),
        PastedCall(
            what=f"whether '{first}' is healthy",
            address=addresses[first],
            method="grpc.health.v1.Health/Check",
            request={},
        ),
    )


def _routed(topology: Topology, addresses: Mapping[str, str]) -> Iterator[PastedCall]:
    by_name = {node.name: node for node in topology.nodes}
    for link in topology.links:
        for via, to in ((link.source, link.target), (link.target, link.source)):
            for namespace in by_name[to].probe:
                shared = by_name[via].namespaces, by_name[to].namespaces
                if all(namespace in each for each in shared):
                    yield _who_am_i(addresses[via], via, to, namespace)
                    return
    for node in topology.nodes:
        for namespace in node.probe:
            yield _who_am_i(addresses[node.name], node.name, node.name, namespace)
            return


def _who_am_i(address: str, via: str, to: str, namespace: str) -> PastedCall:
    how = f"by way of '{via}'" if via != to else "asked directly"
    return PastedCall(
        what=f"'{to}', {how}, says who it is",
        address=address,
        method="collector.CollectiveDispatcher/Dispatch",
        request={
            "namespace": namespace,
            "service": {"service_name": PROBE},
            "method_name": "WhoAmI",
            "target_collector_id": to,
        },
    )


def _counts(topology: Topology) -> Iterator[str]:
    counted = {"node": topology.nodes, "link": topology.links, "service": topology.services}
    for what, those in counted.items():
        if those or what != "service":
            yield f"{len(those)} {what}{'' if len(those) == 1 else 's'}"


def _nodes(nodes: Sequence[Node], addresses: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    yield ("node", "address", "namespaces", "probe")
    for node in nodes:
        yield (
            printable(node.name),
            printable(addresses[node.name]),
            printable(", ".join(node.namespaces)) or "-",
            printable(", ".join(node.probe)) or "-",
        )


def _services(
    services: Sequence[Service], addresses: Mapping[str, str]
) -> Iterator[tuple[str, ...]]:
    yield ("service", "address")
    for service in services:
        scheme = f"{service.protocol}{'s' if service.tls else ''}"
        yield printable(service.name), printable(f"{scheme}://{addresses[service.name]}")


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[Line]:
    rows = list(rows)
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [cell + " " * (each - width(cell)) for cell, each in zip(row, widths, strict=True)]
        yield line("  ", Span("  ".join(cells), "plain" if number else "accent"))


def _links(topology: Topology) -> Iterator[Line]:
    targets: dict[str, list[str]] = {}
    for link in topology.links:
        targets.setdefault(link.source, []).append(link.target)
    for source, each in targets.items():
        yield line("  ", printable(f"{source} -> {', '.join(each)}"))
