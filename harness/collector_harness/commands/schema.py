"""`collector-harness schema`: the JSON Schema of scenario files, for editors."""

from __future__ import annotations

import click

from collector_harness.commands.options import debug_option

__all__ = ["command"]


@click.command(
    "schema",
    short_help="Print the JSON Schema of scenario files.",
    epilog="""\b
Example:
  collector-harness schema > scenario.schema.json
and as the first line of a scenario beside it:
  # yaml-language-server: $schema=scenario.schema.json""",
)
@debug_option
def command() -> None:
    """Prints the JSON Schema of scenario files, with which editors complete and check them."""
    import json

    from collector_harness.scenario.schema import scenario_schema

    click.echo(json.dumps(scenario_schema(), indent=2))
