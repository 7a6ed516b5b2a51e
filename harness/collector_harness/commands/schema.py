"""`collector-harness schema`: the JSON Schema of scenario and target files, for editors."""

from __future__ import annotations

import click

from collector_harness.commands.options import debug_option

__all__ = ["command"]


@click.command(
    "schema",
    short_help="Print the JSON Schema of scenario or target files.",
    epilog="""\b
Examples:
  collector-harness schema > scenario.schema.json
  collector-harness schema target > target.schema.json
and as the first line of a scenario beside it:
  # yaml-language-server: $schema=scenario.schema.json""",
)
@click.argument("kind", type=click.Choice(["scenario", "target"]), default="scenario")
@debug_option
def command(kind: str) -> None:
    """Prints the JSON Schema of scenario files, or of target files, with which editors complete
    and check them.
    """
    import json

    from collector_harness.scenario.schema import scenario_schema
    from collector_harness.target_file import target_schema

    schema = target_schema() if kind == "target" else scenario_schema()
    click.echo(json.dumps(schema, indent=2))
