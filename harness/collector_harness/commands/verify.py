"""`collector-harness verify`: which requirements a collector meets, and which it breaks.

The options become values here; how a verdict comes about is `conformance`'s business.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector_harness.commands.options import (
    debug_option,
    jsonl_option,
    seed_option,
    shard_option,
    verbose_option,
)
from collector_harness.commands.report_options import Wanted, report_options

if TYPE_CHECKING:
    from collector_harness.conformance.verdicts import Verdicts

__all__ = ["command", "json_document"]


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
@click.option(
    "--profile",
    type=click.Choice(["core", "validation", "routing", "faults", "security", "operations", "all"]),
    default="all",
    show_default=True,
    help="Only this part of the requirements, and what it builds on.",
)
@click.option(
    "--as-of",
    metavar="VERSION",
    help="Only cases that there were in this version of the suite, so that a newer one adds none.",
)
@click.option(
    "--repeat",
    "rounds",
    type=click.IntRange(min=1, max=1000),
    default=1,
    metavar="N",
    help="Run each case N times: what passes only sometimes is flaky.",
)
@click.option(
    "--shuffle",
    is_flag=True,
    help="Run the cases in an order made of the seed.",
)
@click.option(
    "--known-failures",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Excuse what FILE knows to be broken; an entry that is not true any more fails.",
)
@click.option(
    "--update-known-failures",
    is_flag=True,
    help="Write into the file of known failures what was found; reasons and comments stay.",
)
@click.option(
    "--hold",
    metavar="CASE",
    help="Bring up the topology of a case, or of the first case of an id, and leave it up until "
    "Ctrl-C.",
)
@click.option(
    "-j",
    "jobs",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="How many cases may run at a time; each may start several processes.",
)
@seed_option
@shard_option
@click.option(
    "--json",
    "verdict",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the verdict to FILE as JSON; after an interrupt what is known so far.",
)
@jsonl_option
@report_options
@verbose_option
@debug_option
def command(
    target: str,
    patterns: tuple[str, ...],
    profile: str,
    as_of: str | None,
    rounds: int,
    shuffle: bool,
    known_failures: Path | None,
    update_known_failures: bool,
    hold: str | None,
    seed: int | None,
    shard: str | None,
    verdict: Path | None,
    stream: Path | None,
    verbose: bool,
    jobs: int,
    wanted: Wanted,
) -> int:
    """Verifies the collector that TARGET stands for, from outside, and tells for each
    requirement whether it is met.

    TARGET is exec:COMMAND for a program that keeps the launch contract, 'reference' for the
    reference collector, python:MODULE:FACTORY for one with its Python API, attach:HOST:PORT for
    one that runs already, or a target file such as target.yaml.
    """
    import sys

    from collector_harness.commands.reporting import open_reports
    from collector_harness.commands.signals import run_until_signalled
    from collector_harness.conformance.known_failures import load_known_failures, update_file
    from collector_harness.conformance.rendering import render_verdicts
    from collector_harness.conformance.verify import verify
    from collector_harness.errors import InvalidInput, Problem
    from collector_harness.reports.screen import open_screen
    from collector_harness.reports.whole_file import WholeFile
    from collector_harness.scenario.ordering import parse_shard
    from collector_harness.targets import parse_target

    under_test = parse_target(target)
    part = None if shard is None else parse_shard(shard)
    if hold is not None:
        from collector_harness.commands.holding import hold_case

        return hold_case(under_test, hold)
    if update_known_failures and known_failures is None:
        raise InvalidInput(
            Problem(
                message="there is no file to update",
                hint="name it: --known-failures known-failures.yaml",
            )
        )
    fresh = known_failures is not None and update_known_failures and not known_failures.exists()
    known = None if known_failures is None or fresh else load_known_failures(known_failures)
    file = WholeFile(verdict, what="the verdict") if verdict is not None else None
    with open_reports(
        verbose=verbose, totals=None, stream=stream, verdict_follows=True, wanted=wanted
    ) as reports:

        def tell(verdicts: Verdicts) -> None:
            if file is not None:
                file.write(json_document(verdicts))
            open_screen(sys.stdout).show(((), *render_verdicts(verdicts, whole=verbose)))

        async def verified() -> int:
            verdicts = await verify(
                under_test,
                patterns=patterns,
                profile=profile,
                emit=reports,
                jobs=jobs,
                seed=seed,
                rounds=rounds,
                as_of=as_of,
                known=known,
                shard=part,
                shuffle=shuffle,
                when_interrupted=tell,
            )
            if update_known_failures and known_failures is not None:
                update_file(known_failures, verdicts)
            tell(verdicts)
            return verdicts.exit_code

        return run_until_signalled(verified, give_back=reports.close)


def json_document(verdicts: Verdicts) -> dict[str, object]:
    """Returns a verdict as JSON values, whatever the target answered."""
    from collector_harness.reports.json_values import json_values

    document = json_values(verdicts.as_json())
    assert isinstance(document, dict)
    return document
