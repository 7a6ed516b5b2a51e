"""`collector-harness schema`: the JSON Schema of scenario and target files, for editors."""

from __future__ import annotations

from collections.abc import Mapping

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
  collector-harness schema events > events.schema.json
and as the first line of a scenario beside it:
  # yaml-language-server: $schema=scenario.schema.json""",
)
@click.argument("kind", type=click.Choice(["scenario", "target", "events"]), default="scenario")
@debug_option
def command(kind: str) -> None:
    """Prints the JSON Schema of scenario files, or of target files, with which editors complete
    and check them, or of each line of the event stream that --jsonl writes.
    """
    import json

    click.echo(json.dumps(_schema(kind), indent=2))


def _schema(kind: str) -> Mapping[str, object]:
    if kind == "events":
        from collector_harness.reports.event_schema import event_schema

        return event_schema()
    if kind == "target":
        from collector_harness.target_file import target_schema

        return target_schema()
    from collector_harness.scenario.schema import scenario_schema

    return scenario_schema()
