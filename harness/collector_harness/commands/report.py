"""`collector-harness report`: reports of a kept stream, two runs compared, and shards as one run.

What a report says is in `reports`; here are only the words of the command line.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector_harness.commands.options import debug_option

if TYPE_CHECKING:
    from collector_harness.reports.kept import Render
    from collector_harness.reports.recording import Recording

__all__ = ["command"]

_INPUT = click.Path(path_type=Path)


@click.group(
    "report",
    short_help="Make reports of a kept stream; compare and merge runs.",
    epilog="""\b
Examples:
  collector-harness verify exec:./collector --jsonl verdict.jsonl
  collector-harness report html verdict.jsonl -o verdict.html
  collector-harness report diff released.jsonl verdict.jsonl
  collector-harness report merge shard-1.jsonl shard-2.jsonl -o all.jsonl""",
)
@debug_option
def command() -> None:
    """Makes reports of a stream that --jsonl kept.

    A stream that was cut off is a failure: its report says so, and the command ends with 1.
    """


def _rendered(stream: Path, output: Path | None, render: Render) -> int:
    from collector_harness.reports.reading import read_stream
    from collector_harness.reports.recording import recorded
    from collector_harness.reports.whole_file import WholeFile

    recording = recorded(read_stream(stream).events)
    if output is None:
        with contextlib.suppress(BrokenPipeError):
            click.echo(render(recording), nl=False)
    else:
        WholeFile(output, what="the report").write_text(render(recording))
    return _told(recording, stream)


def _told(recording: Recording, stream: Path) -> int:
    if not recording.incomplete:
        return 0
    click.echo(f"error: {stream}: {recording.incomplete}", err=True)
    return 1


_stream = click.argument("stream", type=_INPUT)
_output = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write it; standard output otherwise.",
)


@command.command("html")
@_stream
@_output
@debug_option
def as_html(stream: Path, output: Path | None) -> int:
    """Writes one HTML page that needs nothing else."""
    from collector_harness.reports.html import render_html

    return _rendered(stream, output, render_html)


@command.command("junit")
@_stream
@_output
@debug_option
def as_junit(stream: Path, output: Path | None) -> int:
    """Writes JUnit XML, as most CI systems read it."""
    from collector_harness.reports.junit import render_junit

    return _rendered(stream, output, render_junit)


@command.command("markdown")
@_stream
@_output
@debug_option
def as_markdown(stream: Path, output: Path | None) -> int:
    """Writes a summary for a pull request."""
    from collector_harness.reports.markdown import render_markdown

    return _rendered(stream, output, render_markdown)


@command.command("annotations")
@_stream
@_output
@debug_option
def annotated(stream: Path, output: Path | None) -> int:
    """Prints annotations for GitHub Actions."""
    from collector_harness.reports.annotations import render_annotations

    return _rendered(stream, output, render_annotations)


@command.command("diff")
@click.argument("old", type=_INPUT)
@click.argument("new", type=_INPUT)
@debug_option
def diff(old: Path, new: Path) -> int:
    """Tells what got worse, better, new and gone between two verdicts or runs.

    Each is a stream of --jsonl or a verdict of `verify --json`. Ends with 1 where something got
    worse, or is new and broken, or where NEW is incomplete.
    """
    import sys

    from collector_harness.reports.comparing import compare, read_standing, render_difference
    from collector_harness.reports.screen import open_screen

    found = compare(read_standing(old), read_standing(new))
    open_screen(sys.stdout).show(render_difference(found))
    return found.exit_code


@command.command("merge")
@click.argument("streams", nargs=-1, required=True, type=_INPUT, metavar="STREAMS...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write the stream of all.",
)
@debug_option
def merge(streams: tuple[Path, ...], output: Path) -> int:
    """Makes one stream of all shards of a suite or of a verification, and ends as that ended.

    It is refused, with what is missing or doubled, unless the shards cover the whole exactly. A
    requirement that passed in one shard and is broken in another is flaky.
    """
    import sys

    from collector_harness.events import RunFinished, VerdictReached
    from collector_harness.reports.escaping import one_line
    from collector_harness.reports.jsonl import encode
    from collector_harness.reports.lines import line
    from collector_harness.reports.merging import merge_shards
    from collector_harness.reports.reading import read_stream
    from collector_harness.reports.screen import open_screen
    from collector_harness.reports.table import summary
    from collector_harness.reports.whole_file import WholeFile

    file = WholeFile(output, what="the stream")
    events = merge_shards([read_stream(each) for each in streams])
    file.write_text("".join(f"{encode(event)}\n" for event in events))
    last = events[-1]
    assert isinstance(last, RunFinished)
    screen = open_screen(sys.stdout)
    screen.show([summary(last, seed=None)])
    for event in events:
        if isinstance(event, VerdictReached):
            counts = ", ".join(f"{count} {name}" for name, count in event.totals.items() if count)
            screen.show([line(f"verdict on {one_line(event.target, 200)}: {counts}")])
    return int(last.exit_code)
