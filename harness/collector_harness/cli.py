"""The command `collector-harness`: its commands by name, and how every run of it ends.

Importing this module imports click and nothing heavier. A command's own module is imported
when that command is called; the list of commands is known without.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from collector_harness.commands.options import Flags, ReaderLeft, debug_option, flush_or_forget
from collector_harness.heap import growing

__all__ = ["COMMANDS", "command_line", "main"]

PROGRAM: Final = "collector-harness"

COMMANDS: Final[Mapping[str, str]] = {
    "run": "Run scenarios over meshes of collectors.",
    "check": "Check scenario files without starting anything.",
    "up": "Bring up a mesh and keep it running.",
    "call": "Call a method of a running collector.",
    "serve": "Run one reference collector.",
    "verify": "Verify a collector against the protocol's requirements.",
    "report": "Make reports of a kept stream; compare and merge runs.",
    "explain": "Explain a requirement: its text, level and source.",
    "schema": "Print the JSON Schema of scenario or target files.",
    "protos": "Write the protocol's .proto files to a folder.",
    "init": "Write a skeleton with a scenario, tests and a workflow.",
}
"""Each command and its short help. `NAME` lives in `collector_harness.commands.NAME`, as an
attribute `command`."""

EXAMPLES: Final = """\b
Examples:
  collector-harness run scenarios/
  collector-harness run scenarios/ -k "routing and not slow" -j 4
  collector-harness up star:5
  collector-harness verify exec:"python my_collector.py"
  collector-harness COMMAND --help

\b
Exit codes:
  0 all well                     4 nothing ran
  1 failures or breaches         5 the target did not start, or died
  2 usage or invalid input       6 a fault of collector-harness itself
  3 the environment lacks        130 interrupted
    something
"""


class LazyGroup(click.Group):
    """Knows its commands by name; imports one when it is called or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"collector_harness.commands.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            close = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(COMMANDS)}"
            raise click.UsageError(f"there is no command '{name}'; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # click would end the program by itself, with the code that stands for failures.
            raise ReaderLeft from error

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    package_name="collector-harness", prog_name=PROGRAM, message="%(prog)s %(version)s"
)
@debug_option
@click.pass_context
def command_line(ctx: click.Context) -> None:
    """Brings up meshes of gRPC collectors, runs scenarios over them, and verifies anybody's
    collector against the protocol.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit(2)


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code, a value of `errors.ExitCode`.

    `args` defaults to those of the process. No exception leaves this function: each ends in a
    message and a code, and one that nobody foresaw shows its traceback with `--debug`.
    """
    flags = Flags()
    # gRPC's own remarks on connections that close would run through what is printed. It reads
    # this once, when it is imported; a user who wants the remarks sets it.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    own_process = args is None
    if own_process:
        # At its end Python would look for garbage in all that it gives up anyway.
        atexit.register(gc.freeze)
    with growing() if own_process else contextlib.nullcontext():
        return _run(args, flags)


def _run(args: Sequence[str] | None, flags: Flags) -> int:
    try:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # A terminal that cannot show a character gets its escape, not a crash.
                stream.reconfigure(errors="backslashreplace")
        ended = command_line.main(
            args=None if args is None else list(args),
            prog_name=PROGRAM,
            standalone_mode=False,
            obj=flags,
        )
        # What was found out counts, whether or not anybody read it to its end.
        flush_or_forget(sys.stdout)
    except BaseException as error:  # noqa: BLE001 - the one boundary where every error ends
        from collector_harness.commands.ending import end

        return end(error, debug=flags.debug)
    return ended if isinstance(ended, int) else 0
