"""`collector-harness init`: a folder with which a team begins, and which passes at once.

Which files there are and what they say is `init_files`' business; here they are written, and
nothing that was there before is lost.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector_harness.commands.options import debug_option

if TYPE_CHECKING:
    from collector_harness.targets import Target

__all__ = ["command"]


@click.command(
    "init",
    short_help="Write a skeleton with a scenario, tests and a workflow.",
    epilog="""\b
Examples:
  collector-harness init my-shop
  collector-harness init --target exec:"./my-collector --quiet" my-collector
  collector-harness init --force""",
)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--target",
    metavar="TARGET",
    help="A skeleton for the author of a collector: exec:COMMAND, python:MODULE:FACTORY or "
    "attach:HOST:PORT is written into a target file, with a file of known failures beside it.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
@debug_option
def command(folder: Path, target: str | None, force: bool) -> None:
    """Writes into DIR what a repository needs to test its services with collectors: settings for
    pytest, a service, a scenario, a test in Python, a schema for editors, and a workflow.

    It passes as it stands. Files that are there already are an error, and nothing is written.
    """
    from collector_harness.commands.init_files import (
        NEXT_STEPS,
        downstream_files,
        target_files,
        verify_steps,
    )
    from collector_harness.commands.version import installed_version
    from collector_harness.errors import InvalidInput, Problem
    from collector_harness.reports.escaping import printable
    from collector_harness.targets import ExecTarget, Reference, parse_target

    if target is None:
        files = downstream_files(version=installed_version())
        steps: tuple[str, ...] = NEXT_STEPS
    else:
        under_test = parse_target(target)
        if isinstance(under_test, Reference) or (
            isinstance(under_test, ExecTarget) and under_test.file is not None
        ):
            raise InvalidInput(
                Problem(
                    message=f"'{target}' needs no target file",
                    hint="write exec:COMMAND, python:MODULE:FACTORY or attach:HOST:PORT",
                )
            )
        under_test = _from_folder(under_test, folder)
        files = target_files(under_test, version=installed_version())
        steps = verify_steps(under_test)
    for path in write_files(folder, files, force=force):
        click.echo(f"wrote {printable(str(path))}")
    click.echo("\nnext:")
    if folder.resolve() != Path.cwd():
        import shlex

        click.echo(f"  cd {printable(shlex.quote(str(folder)))}")
    for step in steps:
        click.echo(f"  {step}")


def _from_folder(target: Target, folder: Path) -> Target:
    """Returns a target whose relative paths to files that are there begin at `{folder}`, which is
    the folder of its target file, wherever it is verified from.
    """
    from collector_harness.targets import ExecTarget

    if not isinstance(target, ExecTarget):
        return target
    command = tuple(
        f"{{folder}}/{os.path.relpath(word, folder)}"
        if ("/" in word or (place and Path(word).suffix))
        and not Path(word).is_absolute()
        and os.path.isfile(word)  # noqa: PTH113 - any text
        else word
        for place, word in enumerate(target.command)
    )
    return replace(target, command=command)


def write_files(folder: Path, files: Mapping[str, str], *, force: bool) -> tuple[Path, ...]:
    """Writes all files or, where one is there already, none; returns their paths.

    Raises `InvalidInput` naming every file that would be overwritten, and `EnvironmentLacks`
    where the folder cannot be written.
    """
    from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem

    paths = {folder / name: text for name, text in files.items()}
    there = [path for path in paths if path.exists() or path.is_symlink()]
    if there and not force:
        raise InvalidInput(
            [Problem(message=f"'{path}' is there already") for path in there[:-1]]
            + [
                Problem(
                    message=f"'{there[-1]}' is there already",
                    hint="nothing was written; name another folder, or overwrite with --force",
                )
            ]
        )
    try:
        for path, text in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink():
                path.unlink()  # what it leads to may lie elsewhere
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EnvironmentLacks(f"'{error.filename}' cannot be written: {error.strerror}") from error
    return tuple(paths)
