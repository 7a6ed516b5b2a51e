"""`collector-harness explain`: what a requirement says, how firmly, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import click

from collector_harness.commands.options import debug_option

if TYPE_CHECKING:
    from collector_harness.conformance.requirements import Catalogue, Requirement
    from collector_harness.reports.lines import Line

__all__ = ["command", "explanation"]

_MARKS: Final[Mapping[str, str]] = {
    "exec": "needs a target that the harness can launch",
    "lib": "can be seen only through the Python API",
    "limit": "is checked against a limit that the target declares",
}


@click.command(
    "explain",
    short_help="Explain a requirement: its text, level and source.",
    epilog="""\b
Examples:
  collector-harness explain DSP-004
  collector-harness explain DSP          every requirement of a family
  collector-harness explain              every requirement""",
)
@click.argument("ids", nargs=-1, metavar="[ID|FAMILY]...")
@debug_option
def command(ids: tuple[str, ...]) -> None:
    """Explains requirements: text, level, sources, and what they build on.

    An ID is a family and a number, such as DSP-004. A FAMILY such as DSP lists its
    requirements, and nothing lists all.
    """
    import sys

    from collector_harness.conformance.requirements import catalogue
    from collector_harness.reports.screen import open_screen

    every = catalogue()
    screen = open_screen(sys.stdout)
    blocks: list[tuple[Line, ...]] = []
    for name in ids or tuple(every.families):
        if name.upper() in every.families:
            blocks.append(listing(every, name.upper()))
        else:
            blocks.append(explanation(every, every[name.upper()]))
    for number, block in enumerate(blocks):
        screen.show(block if number == 0 else ((), *block))


def explanation(every: Catalogue, requirement: Requirement) -> tuple[Line, ...]:
    """Returns a requirement in full."""
    from collector_harness.reports.lines import Span, line

    lines = [
        line(Span(requirement.id, "strong"), f"  {requirement.level}"),
        line(f"  {requirement.text}."),
    ]
    lines += [
        line("  ", Span("source: ", "accent"), f"{source}, {every.sources[source]}")
        for source in requirement.sources
    ]
    lines += [
        line("  ", Span("builds on: ", "accent"), f"{each}  {every[each].text}")
        for each in requirement.builds_on
    ]
    lines += [line("  ", Span("note: ", "accent"), _MARKS[mark]) for mark in requirement.marks]
    return tuple(lines)


def listing(every: Catalogue, family: str) -> tuple[Line, ...]:
    """Returns the requirements of a family, a line each."""
    from collector_harness.reports.lines import Span, line

    lines = [line(Span(f"{family}  {every.families[family]}", "strong"))]
    lines += [
        line(f"  {each.id:<9}{each.level:<7}{each.text}") for each in every if each.family == family
    ]
    return tuple(lines)
