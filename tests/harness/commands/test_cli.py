"""What every command has in common: help, suggestions, and how it ends."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import click
import pytest

import collector_harness.cli
from collector_harness.cli import COMMANDS, command_line, main
from collector_harness.commands.ending import end
from collector_harness.errors import (
    EnvironmentLacks,
    ExitCode,
    HarnessError,
    InternalFault,
    InvalidInput,
    Position,
    Problem,
    TargetFailed,
)

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_help_lists_every_command_and_the_exit_codes(run: Run) -> None:
    ended = run("--help")
    assert ended.returncode == 0
    for name, short_help in COMMANDS.items():
        assert f"  {name} " in ended.stdout
        assert short_help in ended.stdout
    for code in ExitCode:
        assert f"{int(code)} " in ended.stdout.partition("Exit codes:")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_that_calls_it(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Example" in text
    assert f"collector-harness {name}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_short_help_is_the_commands_own(name: str) -> None:
    command = importlib.import_module(f"collector_harness.commands.{name}").command
    assert isinstance(command, click.Command)
    assert (command.name, command.short_help) == (name, COMMANDS[name])


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    program = (
        "import sys\n"
        "from collector_harness.cli import main\n"
        f"code = main({words!r})\n"
        "heavy = {'grpc', 'google.protobuf', 'pydantic', 'rich', 'yaml', 'faker', 'pytest'}\n"
        "found = heavy & set(sys.modules)\n"
        "sys.exit(f'imports {found}' if found else code)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr


def test_the_version_is_the_distributions(run: Run) -> None:
    assert run("--version").stdout == f"collector-harness {version('collector-harness')}\n"


def test_no_command_is_a_usage_error_that_shows_the_help(run: Run) -> None:
    ended = run()
    assert ended.returncode == 2
    assert "Commands:" in ended.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chekc"], "there is no command 'chekc'; did you mean 'check'?"),
        (["zzz"], "there is no command 'zzz'; there are: run, check, "),
        (["explain", "--debgu"], "--debug"),
        (["run"], "PATHS"),
        (["run", "x", "-j", "0"], "-j"),
    ],
)
def test_wrong_usage_is_told_with_a_suggestion(run: Run, words: list[str], said: str) -> None:
    ended = run(*words)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not ended.stdout


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InvalidInput("bad"), 2, "error: bad\n"),
        (EnvironmentLacks("no port"), 3, "error: no port\n"),
        (TargetFailed("died", node="a", log_tail="x\ny"), 5, "error: died\n  x\n  y\n"),
        (InternalFault("broken"), 6, "error: broken\n"),
        (HarnessError("root"), 6, "error: root\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (click.Abort(), 130, "interrupted\n"),
        (ExceptionGroup("tasks", [EnvironmentLacks("wrapped")]), 3, "error: wrapped\n"),
        (SystemExit(4), 4, ""),
    ],
)
def test_every_error_ends_in_its_own_code_and_one_message(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(error, debug=False) == code
    assert capsys.readouterr().err == said


def test_bad_input_is_shown_with_every_line_and_caret(capsys: pytest.CaptureFixture[str]) -> None:
    position = Position(source="a.yaml", line=2, column=3, text="  nmae: \x1b[31mx")
    problems = [
        Problem(message="unknown key 'nmae'", position=position, hint="did you mean 'name'?"),
        Problem(message="another"),
    ]
    assert end(InvalidInput(problems), debug=False) == 2
    assert capsys.readouterr().err == (
        "error: unknown key 'nmae'\n"
        "  --> a.yaml:2:3\n"
        "      2 |   nmae: \\x1b[31mx\n"
        "            ^\n"
        "  hint: did you mean 'name'?\n"
        "error: another\n"
    )


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that fails in a way that nobody foresaw."""

    @click.command("broken")
    @collector_harness.cli.debug_option
    def command() -> None:
        raise LookupError("never \x1b[31mthis")

    monkeypatch.setattr(
        collector_harness.cli.LazyGroup, "get_command", lambda self, ctx, name: command
    )
    monkeypatch.setattr(collector_harness.cli, "COMMANDS", {"broken": ""})


@pytest.mark.usefixtures("broken")
def test_an_unforeseen_error_is_told_as_ours_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["broken"]) == 6
    said = capsys.readouterr().err
    assert said.startswith("internal fault: LookupError: never \\x1b[31mthis\n")
    assert "--debug" in said
    assert version("collector-harness") in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("words", [["--debug", "broken"], ["broken", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 6
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_reader_that_leaves_early_gets_no_complaint() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "collector_harness", "explain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0


def test_a_terminal_that_lacks_a_character_gets_its_escape(run: Run) -> None:
    ended = run("nö", environment={"PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 2
    assert "n\\xf6" in ended.stderr


def test_every_command_takes_debug() -> None:
    context = click.Context(command_line)
    for name in COMMANDS:
        command = command_line.get_command(context, name)
        assert command is not None
        assert any("--debug" in parameter.opts for parameter in command.params), name


def test_the_module_runs_like_the_command() -> None:
    script = str(Path(sys.executable).parent / "collector-harness")
    outputs = [
        subprocess.run([*start, "--help"], capture_output=True, text=True, check=True).stdout
        for start in ([script], [sys.executable, "-m", "collector_harness"])
    ]
    assert outputs[0] == outputs[1]
