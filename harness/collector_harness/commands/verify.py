"""`collector-harness verify`: which requirements a collector meets, and which it breaks.

The options become values here; how a verdict comes about is `conformance`'s business.
"""

from __future__ import annotations

from pathlib import Path

import click

from collector_harness.commands.options import (
    debug_option,
    json_option,
    jsonl_option,
    seed_option,
    verbose_option,
)

__all__ = ["command"]


@click.command(
    "verify",
    short_help="Verify a collector against the protocol's requirements.",
    epilog="""\b
Examples:
  collector-harness verify reference
  collector-harness verify exec:"python my_collector.py"
  collector-harness verify exec:./collector -k DSP -k REG-003
  collector-harness verify exec:./collector --json verdict.json""",
)
@click.argument("target")
@click.option(
    "-k",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Only these requirements and what they build on: an id, a family such as DSP, or a "
    "pattern such as DSP-01*; may be repeated.",
)
@seed_option
@json_option
@jsonl_option
@verbose_option
@debug_option
def command(
    target: str,
    patterns: tuple[str, ...],
    seed: int | None,
    totals: Path | None,
    stream: Path | None,
    verbose: bool,
) -> int:
    """Verifies the collector that TARGET stands for, from outside, and tells for each
    requirement whether it is met.

    TARGET is 'reference' or exec:COMMAND, a program that keeps the launch contract.
    """
    raise NotImplementedError
