"""`collector-harness explain`: what a requirement says, how firmly, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from collector_harness.commands.options import debug_option

if TYPE_CHECKING:
    from collector_harness.conformance.requirements import Catalogue

__all__ = ["command", "listing"]


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
    from collector_harness.conformance.rendering import explain
    from collector_harness.conformance.requirements import catalogue

    every = catalogue()
    blocks = [
        listing(every, name.upper()) if name.upper() in every.families else explain(name.upper())
        for name in ids or tuple(every.families)
    ]
    click.echo("\n".join(blocks), nl=False)


def listing(every: Catalogue, family: str) -> str:
    """Returns the requirements of a family as text, a line each."""
    rows = [
        f"  {each.id:<9}{each.level:<7}{each.text}\n" for each in every if each.family == family
    ]
    return f"{family}  {every.families[family]}\n{''.join(rows)}"
