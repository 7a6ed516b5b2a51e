"""`scripts/environment.py` says what is lacking, and installs only what has changed."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment", ROOT / "scripts/environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(ROOT)
    return module


@pytest.fixture
def commands(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been run."""
    ran: list[list[str]] = []
    monkeypatch.setattr(environment, "run", ran.append)
    return ran


def test_a_python_that_is_too_old_is_told_with_a_remedy(
    environment: ModuleType, commands: list[list[str]], monkeypatch, capsys
) -> None:
    monkeypatch.setattr(environment, "OLDEST", (9, 99))
    monkeypatch.setattr(sys, "argv", ["environment.py", "folder", "requirements/dev.txt"])

    assert environment.main() == 3
    assert "Python 9.99 or newer is needed" in capsys.readouterr().err
    assert commands == []


def test_a_python_without_venv_is_told_with_a_remedy(environment: ModuleType, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)

    assert "apt-get install python3-venv" in environment.what_is_lacking()


def test_an_environment_is_set_up_once_and_again_when_its_pins_change(
    environment: ModuleType, commands: list[list[str]], monkeypatch, tmp_path: Path
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("one==1\n")
    folder = tmp_path / "venv"
    folder.mkdir()
    monkeypatch.setattr(sys, "argv", ["environment.py", str(folder), str(requirements)])

    assert environment.main() == 0
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"]]
    commands.clear()
    assert environment.main() == 0
    assert commands == []
    requirements.write_text("one==2\n")
    assert environment.main() == 0
    assert len(commands) == 2


def test_an_installation_that_failed_is_not_taken_for_complete(
    environment: ModuleType, monkeypatch, tmp_path: Path
) -> None:
    folder = tmp_path / "venv"
    folder.mkdir()
    monkeypatch.setattr(sys, "argv", ["environment.py", str(folder), "requirements/dev.txt"])
    monkeypatch.setattr(
        environment.subprocess, "call", lambda command, stdin: int("pip" in command)
    )

    with pytest.raises(SystemExit):
        environment.main()
    assert not (folder / environment.COMPLETE).exists()


def test_only_an_environment_with_the_project_depends_on_its_settings(
    environment: ModuleType, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("one==1\n")

    def digests() -> list[str]:
        return [
            environment.digest_of(
                argparse.Namespace(folder=".venv", requirements="requirements.txt", project=project)
            )
            for project in (False, True)
        ]

    before = digests()
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    after = digests()

    assert before[0] == after[0]
    assert before[1] != after[1]
