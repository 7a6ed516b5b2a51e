"""`collector-harness run`: scenarios over meshes of collectors.

The options become values here; running is the engine's business and showing the reports'.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector_harness.commands.options import (
    debug_option,
    json_option,
    jsonl_option,
    keyword_option,
    seed_option,
    shard_option,
    verbose_option,
)
from collector_harness.commands.report_options import Wanted, report_options

if TYPE_CHECKING:
    from collector_harness.events import Part
    from collector_harness.scenario.loading import Case

__all__ = ["command"]


@click.command(
    "run",
    short_help="Run scenarios over meshes of collectors.",
    epilog="""\b
Examples:
  collector-harness run scenarios/
  collector-harness run orders.scenario.yaml "users.scenario.yaml::users are found[known]"
  collector-harness run scenarios/ -k "routing and not slow" -j 4 --json totals.json
  collector-harness run scenarios/ --repeat 10 --shuffle --seed 4711
  collector-harness run scenarios/ --shard 2/5
  collector-harness run scenarios/ --target exec:"python my_collector.py" """,
)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@keyword_option
@click.option(
    "-j",
    "jobs",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="How many cases may run at a time.",
)
@seed_option
@click.option(
    "--repeat",
    "rounds",
    type=click.IntRange(min=1, max=10_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Run all cases N times, one round after the other.",
)
@click.option(
    "--shuffle", is_flag=True, help="Run the cases of each round in an order made of the seed."
)
@shard_option
@click.option(
    "--target",
    default="reference",
    show_default=True,
    metavar="TARGET",
    help="The collector under test: reference, exec:COMMAND, attach:HOST:PORT, "
    "python:MODULE:FACTORY. Nodes with handlers of their own stay reference collectors.",
)
@click.option(
    "--databases",
    default="sqlite",
    show_default=True,
    envvar="COLLECTOR_HARNESS_DATABASES",
    show_envvar=True,
    metavar="WHERE",
    help="Where services get fresh databases that name no kind: sqlite, postgresql for a server "
    "that is started for the run, or postgresql://USER:PASSWORD@HOST:PORT.",
)
@json_option
@jsonl_option
@report_options
@click.option(
    "--coverage", is_flag=True, help="Tell which RPCs, nodes and links no scenario touched."
)
@verbose_option
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first case that fails.")
@click.option("--list", "list_only", is_flag=True, help="Print the cases and run nothing.")
@debug_option
def command(
    paths: tuple[str, ...],
    keywords: str | None,
    jobs: int,
    seed: int | None,
    rounds: int,
    shuffle: bool,
    shard: str | None,
    target: str,
    databases: str,
    totals: Path | None,
    stream: Path | None,
    verbose: bool,
    fail_fast: bool,
    list_only: bool,
    wanted: Wanted,
) -> int:
    """Runs scenarios over meshes of collectors on free ports of this machine.

    PATHS are *.scenario.yaml files, folders that are searched through, or single cases as
    FILE::TITLE and FILE::TITLE[CASE].
    """
    from collector_harness.commands.collecting import collect, part_of
    from collector_harness.commands.reporting import open_reports
    from collector_harness.commands.signals import run_until_signalled
    from collector_harness.scenario.engine import new_seed, run_cases
    from collector_harness.scenario.ordering import parse_shard, rounds_of
    from collector_harness.targets import parse_target
    from collector_harness.topology.databases import parse_fresh_databases

    under_test = parse_target(target)
    fresh = parse_fresh_databases(databases)
    wanted_shard = None if shard is None else parse_shard(shard)
    chosen_seed = new_seed() if seed is None else seed

    def chosen() -> tuple[tuple[Case, ...], Part | None]:
        cases = collect(paths, keywords)
        # A round is a case of its own, so that all parts together are told by their cases.
        every = rounds_of(cases, count=rounds, shuffle=shuffle, seed=chosen_seed)
        return (every, None) if wanted_shard is None else part_of(every, wanted_shard)

    if list_only:
        for case in chosen()[0]:
            click.echo(case.id)
        return 0
    with open_reports(verbose=verbose, totals=totals, stream=stream, wanted=wanted) as reports:
        cases, part = chosen()
        return run_until_signalled(
            lambda: run_cases(
                cases,
                target=under_test,
                emit=reports,
                jobs=jobs,
                seed=chosen_seed,
                fail_fast=fail_fast,
                part=part,
                databases=fresh,
            ),
            give_back=reports.close,
        )
