"""Pages as their readers use them: files are written, commands run, and the output compared."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BLOCK = re.compile(
    r"(?:^<!-- (?P<key>file|exit): (?P<value>[^\n]+) -->\n)?"
    r"^```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_VARYING = (
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    # From a minute on, pytest tells it twice.
    (re.compile(r"\b\d+\.\d+ ?s\b(?: \(\d+:\d\d:\d\d\))?"), "TIME"),
    (re.compile(r"seed \d+"), "SEED"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    line: int
    kind: str
    text: str
    file: str | None
    """What the reader is to save it as."""
    exit: int
    """What its last command ends with."""


def blocks_of(text: str) -> Iterator[Block]:
    for match in BLOCK.finditer(text):
        told = {match["key"]: match["value"]}
        yield Block(
            line=text.count("\n", 0, match.start("kind")) + 1,
            kind=match["kind"],
            text=match["text"],
            file=told.get("file"),
            exit=int(told.get("exit", 0)),
        )


def commands_of(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Yields each command of a console block with what it prints."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command.partition("   # ")[0], printed.splitlines()


class Reader:
    """Follows a page in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def follow(self, text: str) -> int:
        """Does all that a text says; returns how many commands there were."""
        ran = 0
        for block in blocks_of(text):
            if block.file is not None:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            elif block.kind == "console":
                for command, printed in commands_of(block):
                    self._run(command, printed, block)
                    ran += 1
        return ran

    def _run(self, command: str, printed: list[str], block: Block) -> None:
        words = shlex.split(command)
        words[0] = str(Path(sys.executable).parent / words[0])
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
        done = subprocess.run(
            words,
            cwd=self.folder,
            # Two plugins of the environment that runs the tests cost more than everything else.
            env=clean | {"COLUMNS": "100", "PYTEST_ADDOPTS": "-p no:faker -p no:hypothesispytest"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        told = done.stdout + done.stderr
        assert done.returncode == block.exit, f"line {block.line}: {command}\n{told}"
        found = [_alike(line) for line in told.splitlines()]
        at = 0
        for line in printed:
            if line.strip() in ("", "..."):
                continue
            assert _alike(line) in found[at:], f"line {block.line}: {line!r} is not in\n{told}"
            at = found.index(_alike(line), at) + 1


def _alike(line: str) -> str:
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    return line.strip()


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    folder = tmp_path / "reader"
    folder.mkdir()
    return Reader(folder)
