"""What is told of typical mistakes, word for word, on the console.

Each file NAME.yaml is a scenario with a mistake, and NAME.txt is what `run` tells of it.
UPDATE_CARDS=1 writes the latter anew: then read them as somebody who sees them for the first
time, who wants to know what happened, where, and what to do next.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from collector_harness.cli import main

CARDS = Path(__file__).parent
NAMES = sorted(path.stem for path in CARDS.glob("*.yaml"))


def compare(name: str, told: str) -> None:
    golden = CARDS / f"{name}.txt"
    if os.environ.get("UPDATE_CARDS"):
        golden.write_text(told)
    assert told == golden.read_text()


def options_of(text: str) -> list[str]:
    """The options that a mistake is run with, which stand in its first line."""
    first = text.partition("\n")[0]
    if not first.startswith("# options: "):
        return []
    option, _, value = first.removeprefix("# options: ").partition(" ")
    return [option, value]


@pytest.fixture
def told(tmp_path: Path, monkeypatch, capsys, alike):
    """Runs the command line in a folder of its own; returns all that it told, and its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for variable in ("FORCE_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(variable, raising=False)

    def told(*words: str) -> str:
        code = main(words)
        out, err = capsys.readouterr()
        return alike(f"{out}{err}") + f"exit code {code}\n"

    return told


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_told_as_on_its_card(name: str, told, tmp_path: Path) -> None:
    text = (CARDS / f"{name}.yaml").read_text()
    (tmp_path / "orders.scenario.yaml").write_text(text)
    (tmp_path / "orders.db").touch()

    compare(name, told("run", "orders.scenario.yaml", "--seed", "7", *options_of(text)))


def test_a_package_that_is_missing_is_told_with_its_extra(told, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    text = (CARDS / "page-not-found.yaml").read_text()
    (tmp_path / "orders.scenario.yaml").write_text(text)

    compare("_extra-missing", told("run", "orders.scenario.yaml", "--seed", "7"))


def test_a_port_that_is_taken_is_told(told) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        compare("_port-taken", told("serve", "--id", "hub", "--listen", address))


def test_names_that_lead_to_nothing_are_told(told, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "orders.scenario.yaml").write_text((CARDS / "expectation-fails.yaml").read_text())

    compare("_folder-empty", told("run", "empty"))
    compare("_file-misspelt", told("run", "ordres.scenario.yaml"))
    compare("_keyword-unmatched", told("run", "orders.scenario.yaml", "-k", "invoices"))
    compare("_case-misspelt", told("run", "orders.scenario.yaml::orders are serves"))


def test_a_folder_that_may_not_be_read_is_not_told_as_empty(tmp_path, alike) -> None:
    """As a user who is not root, whom no permission stops."""
    closed = tmp_path / "suite" / "closed"
    closed.mkdir(parents=True)
    (closed / "orders.scenario.yaml").write_text("version: 1\n")
    closed.chmod(0)
    program = textwrap.dedent("""
        import os, sys
        from collector_harness.commands.discovery import discover
        from collector_harness.commands.ending import end
        from collector_harness.reports import lines, screen
        os.chdir("suite")
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            discover(["."])
        except Exception as error:
            print("exit code", end(error, debug=False), file=sys.stderr)
    """)

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    closed.chmod(0o755)
    compare("_folder-closed", alike(done.stderr))


@pytest.fixture(scope="session")
def in_pytest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest tells of each mistake, by its name: one run of all that need no options."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "orders.db").touch()
    for name in IN_PYTEST:
        (folder / f"{name}.scenario.yaml").write_text((CARDS / f"{name}.yaml").read_text())
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--continue-on-collection-errors",
            "-p",
            "no:faker",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:hypothesispytest",
            "-p",
            "no:xdist",
            "--show-capture=no",
            "--collector-seed=7",
            ".",
        ],
        cwd=folder,
        env=os.environ | {"COLUMNS": "100", "PYTEST_ADDOPTS": "", "PYTHONWARNINGS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    told: dict[str, str] = {}
    for section in re.split(r"^(?=_{3,} .* _{3,}$)|^=+ .* =+$", done.stdout, flags=re.MULTILINE):
        names = set(re.findall(r"([\w-]+)\.scenario\.yaml", section))
        if section.startswith("_") and len(names) == 1:
            told[names.pop()] = section.replace(str(folder), "FOLDER")
    return told


IN_PYTEST = [name for name in NAMES if not options_of((CARDS / f"{name}.yaml").read_text())]


@pytest.mark.parametrize("name", IN_PYTEST)
def test_pytest_tells_a_mistake_as_the_console_does(name: str, in_pytest, alike) -> None:
    """The same card: what happened, where, and what to do, with the file's name in pytest's run."""
    card = (
        (CARDS / f"{name}.txt").read_text().replace("orders.scenario.yaml", f"{name}.scenario.yaml")
    )
    told = alike(in_pytest[name])
    lines = {line.strip() for line in told.splitlines()}

    if "-->" in card and card.startswith("error:"):
        for line in card.splitlines():
            if line.startswith(("error: ", "  hint: ")):
                assert line.partition(": ")[2] in told
            if "-->" in line:
                assert line.partition("--> ")[2] in told
    else:
        _, _, rest = card.partition("\n\n")
        essential, _, _ = rest.partition("  answer:")
        for line in essential.partition("\n\nscenario")[0].splitlines()[1:]:
            assert line.strip() in lines or "reproduce" in line, (line, told)


def test_there_are_two_dozen_and_more() -> None:
    assert len(NAMES) >= 24
