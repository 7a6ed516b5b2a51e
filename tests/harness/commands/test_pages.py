"""What the pages show is what the program does."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from collector_harness.cli import COMMANDS, command_line
from collector_harness.commands.security_flags import SECURITY_FLAGS
from collector_harness.commands.serve import FLAGS
from collector_harness.conformance.verdicts import Verdict
from collector_harness.errors import ExitCode

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """Returns the fenced blocks of a page that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_is_shown_exists(page: Path) -> None:
    context = click.Context(command_line)
    text = page.read_text()
    for name, rest in re.findall(r"collector-harness ([a-z]+)\b([^`\n]*)", text):
        if f"$ collector-harness {name}" not in text and f"`collector-harness {name}" not in text:
            continue
        assert name in COMMANDS, name
        command = command_line.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            part = rest.split()[0] if rest.split() else ""
            command = command.get_command(context, part) or command
        known = {option for each in command.params for option in each.opts} | {"--help"}
        bare = re.sub(r"'[^']*'|#.*", "", rest)
        for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", bare):
            assert option in known, f"{name} {option}"


def test_the_readme_has_every_command_and_exit_code() -> None:
    text = (ROOT / "README.md").read_text()
    assert all(re.search(rf"^\| `{name}\b", text, re.MULTILINE) for name in COMMANDS)
    codes = re.findall(r"^\| (\d+) \|", text, re.MULTILINE)
    assert [int(code) for code in codes] == [int(code) for code in ExitCode]


def variables_in(text: str) -> list[str]:
    rows = re.findall(r"^\| (`COLLECTOR_[^|]*) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(COLLECTOR_\w+)`", row)]


def test_the_contract_is_described_variable_by_variable() -> None:
    text = (ROOT / "docs" / "verify-your-collector.md").read_text()
    named = variables_in(text)
    # The reference collector has more of them than the contract.
    assert named == [name for name in FLAGS if name in named]


def test_security_is_described_variable_by_variable() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    assert variables_in(text) == list(SECURITY_FLAGS)


def test_every_verdict_is_described() -> None:
    text = (ROOT / "docs" / "verify-your-collector.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(verdict.value for verdict in Verdict)


def test_the_first_scenario_and_the_first_test_of_the_readme_pass(run: Run, tmp_path: Path) -> None:
    handlers, test = blocks(ROOT / "README.md", "python")
    (scenario,) = blocks(ROOT / "README.md", "yaml")
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "handlers.py").write_text(handlers)
    (folder / "orders.scenario.yaml").write_text(scenario)
    (folder / "test_orders.py").write_text(test)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    ended = run("run", "tests")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed, 0 failed" in ended.stdout
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "3 passed" in tested.stdout
