"""How a command ends when it did not end well: an error becomes words and an exit code.

This is the only place that prints errors. What it prints may quote files and targets, so
it is escaped.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback

import click

from collector_harness.commands.options import ReaderLeft, flush_or_forget
from collector_harness.errors import ExitCode, HarnessError, InvalidInput
from collector_harness.reports.escaping import block, one_line
from collector_harness.reports.lines import Line, Span, line, problem
from collector_harness.reports.screen import open_screen

__all__ = ["NothingToRun", "end"]


class NothingToRun(HarnessError):
    """Nothing was selected, so nothing could fail; that must not look like success."""

    exit_code = ExitCode.NOTHING_RAN


def end(error: BaseException, *, debug: bool) -> int:
    """Says on standard error what went wrong and returns the exit code; never raises."""
    error = _only_member(error)
    if isinstance(error, BrokenPipeError | ReaderLeft):
        return _reader_left()
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    with contextlib.suppress(BrokenPipeError, ValueError):
        if debug:
            traceback.print_exception(error, file=sys.stderr)
        if isinstance(error, click.ClickException):
            error.show(file=sys.stderr)
        else:
            open_screen(sys.stderr).show(_words(error))
    return _code(error)


def _code(error: BaseException) -> int:
    match error:
        case HarnessError():
            return int(error.exit_code)
        case click.ClickException():
            return int(ExitCode.INVALID_INPUT)
        case KeyboardInterrupt() | click.Abort() | asyncio.CancelledError():
            return int(ExitCode.INTERRUPTED)
        case _:
            return int(ExitCode.INTERNAL_FAULT)


def _words(error: BaseException) -> tuple[Line, ...]:
    match error:
        case InvalidInput():
            return tuple(each for found in error.problems for each in problem(found))
        case HarnessError():
            first, *rest = block(str(error), lines=200, columns=1000) or (type(error).__name__,)
            return (line(Span("error: ", "bad"), first), *(line("  ", each) for each in rest))
        case KeyboardInterrupt() | click.Abort() | asyncio.CancelledError():
            return (line("interrupted"),)
        case _:
            from collector_harness.commands.version import installed_version

            what = one_line(f"{type(error).__name__}: {error}", 1000)
            return (
                line(Span("internal fault: ", "bad"), what),
                line("  This is a fault of collector-harness, not of your input."),
                line("  The same command with --debug shows where; please report that, with"),
                line(f"  the version ({installed_version()}) and the input."),
            )


def _only_member(error: BaseException) -> BaseException:
    """Returns what a task group wrapped, where it wrapped a single error."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _reader_left() -> int:
    # Whoever read standard output has what it wanted (`… | head`): that is no failure.
    flush_or_forget(sys.stdout)
    return int(ExitCode.OK)
