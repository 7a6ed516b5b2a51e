"""What the scenarios of a run did not touch: RPCs, nodes and links. Pure.

A link counts as used where an answer says that a call came from one of its ends to the other; what
a collector does of its own accord, and what it does not tell, is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from collector_harness.reports.escaping import one_line
from collector_harness.reports.lines import Line, Span, line
from collector_harness.reports.paths import shortened
from collector_harness.reports.recording import CaseRecord, Recording
from collector_harness.reports.table import counted

__all__ = ["Coverage", "coverage", "render_coverage"]

_MOST: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """What was touched and what was not."""

    rpcs: Mapping[str, int]
    """Each RPC of the contract, and each other one that was called, with how often."""
    nodes: tuple[tuple[str, str], ...]
    """File and node of those that nobody called and that executed nothing."""
    links: tuple[tuple[str, str], ...]
    """File and link of those over which no call is known to have gone."""
    all_nodes: int
    all_links: int


def coverage(recording: Recording, rpcs: Sequence[str]) -> Coverage:
    """Returns what a run touched; `rpcs` are those of the contract, such as `/collector.X/Y`."""
    calls = dict.fromkeys(rpcs, 0)
    nodes: dict[tuple[str, str], bool] = {}
    links: dict[tuple[str, str], bool] = {}
    for case in recording.cases.values():
        for call in case.calls:
            calls[call.rpc] = calls.get(call.rpc, 0) + 1
        reached = {name for call in case.calls for name in (call.node, call.handled_by) if name}
        crossed = {
            frozenset((call.node, call.handled_by)) for call in case.calls if call.handled_by
        }
        source = case.started.source
        for name in _nodes(case):
            nodes[source, name] = nodes.get((source, name), False) or name in reached
        for left, right in _links(case):
            key = (source, f"{left} -> {right}")
            links[key] = links.get(key, False) or frozenset((left, right)) in crossed
    return Coverage(
        rpcs=calls,
        nodes=tuple(key for key, seen in nodes.items() if not seen),
        links=tuple(key for key, seen in links.items() if not seen),
        all_nodes=len(nodes),
        all_links=len(links),
    )


def render_coverage(found: Coverage) -> tuple[Line, ...]:
    """Returns what was not touched for a person."""
    lines: list[Line] = [line(Span("not touched by any scenario", "strong"))]
    never = [rpc for rpc, count in found.rpcs.items() if not count]
    lines.append(line(f"  {len(never)} of {counted(len(found.rpcs), 'RPC')}"))
    lines += [line(Span("    rpc   ", "warning"), one_line(rpc, 200)) for rpc in never[:_MOST]]
    for name, untouched, every in (
        ("node", found.nodes, found.all_nodes),
        ("link", found.links, found.all_links),
    ):
        lines.append(line(f"  {len(untouched)} of {counted(every, name)}"))
        for source, what in untouched[:_MOST]:
            place = Span(f"  {one_line(shortened(source), 200)}", "faint")
            lines.append(line(Span(f"    {name}  ", "warning"), one_line(what, 200), place))
        if len(untouched) > _MOST:
            lines.append(line(f"    … {len(untouched) - _MOST} more"))
    return tuple(lines)


def _nodes(case: CaseRecord) -> Iterator[str]:
    told = case.started.topology
    for node in told.get("nodes", ()) if isinstance(told, dict) else ():
        # A service has no RPC of the contract, and what is played is no one's to test.
        if isinstance(node, dict) and node.get("kind") in ("target", "reference", "other"):
            yield str(node.get("name"))


def _links(case: CaseRecord) -> Iterator[tuple[str, str]]:
    told = case.started.topology
    for link in told.get("links", ()) if isinstance(told, dict) else ():
        if isinstance(link, list | tuple) and len(link) == 2:
            yield str(link[0]), str(link[1])
