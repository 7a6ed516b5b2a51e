"""`collector-harness check`: whether scenario files can be used, without starting anything."""

from __future__ import annotations

import click

from collector_harness.commands.options import debug_option

__all__ = ["command"]


@click.command(
    "check",
    short_help="Check scenario files without starting anything.",
    epilog="""\b
Examples:
  collector-harness check scenarios/
  collector-harness check orders.scenario.yaml""",
)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@debug_option
def command(paths: tuple[str, ...]) -> None:
    """Checks scenario files: grammar, topology, and every name that can be known beforehand.

    PATHS are *.scenario.yaml files, or folders that are searched through. Every problem is
    shown with its line; the exit code is 2 where there is one.
    """
    from collector_harness.commands.collecting import load_all
    from collector_harness.commands.discovery import discover

    scenarios = load_all(discover(paths))
    cases = sum(len(scenario.cases) for scenario in scenarios)
    click.echo(
        f"{len(scenarios)} scenario{'' if len(scenarios) == 1 else 's'} with "
        f"{cases} case{'' if cases == 1 else 's'}: all well"
    )
