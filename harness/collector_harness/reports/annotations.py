"""A run as annotations of GitHub Actions: what failed, at its line of the scenario file.

They are commands on standard output, so other output must not be able to pass for one: while a run
prints what targets say, commands are switched off by a token that nobody can guess.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from collector_harness.events import Failure
from collector_harness.reports.escaping import block, one_line
from collector_harness.reports.overview import Entry, overview
from collector_harness.reports.recording import Recording

__all__ = ["AnnotationGuard", "render_annotations"]

_MOST: Final = 50
"""GitHub shows fewer of a step."""
_QUIET: Final = frozenset({"pass", "passed", "deselected", "unsupported", "blocked"})


def render_annotations(
    recording: Recording, *, environment: Mapping[str, str] | None = None
) -> str:
    """Returns a command per line, for each alarm and each failure; bounded.

    Files are named from the root of the repository, which GITHUB_WORKSPACE of the environment
    tells: a job may run in a folder of it.
    """
    root = (os.environ if environment is None else environment).get("GITHUB_WORKSPACE", "")
    seen = overview(recording)
    lines = [_command("error", {"title": seen.title}, alarm) for alarm in seen.alarms]
    for entry in seen.entries:
        if entry.state in _QUIET:
            continue
        kind = "error"
        if entry.level == "SHOULD" or entry.state == "expected-fail":
            kind = "warning"
        lines.append(_command(kind, dict(_place(entry, root)), _told(entry)))
    over = len(lines) - _MOST
    if over > 0:
        more = _command("notice", {"title": seen.title}, f"{over} more are in the log")
        lines = [*lines[:_MOST], more]
    return "".join(f"{line}\n" for line in lines)


class AnnotationGuard:
    """Switches commands off from its making on, until `tell` prints ours."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._token = secrets.token_hex(16)
        stream.write(f"::stop-commands::{self._token}\n")
        stream.flush()

    def tell(self, recording: Recording) -> None:
        """Prints the annotations of a run."""
        self._stream.write(f"::{self._token}::\n{render_annotations(recording)}")
        self._stream.flush()


def _place(entry: Entry, root: str) -> Iterator[tuple[str, str]]:
    failure = _failure(entry)
    if failure is not None and failure.position is not None:
        file = Path(failure.position.source)
        if root and file.absolute().is_relative_to(root):
            file = file.absolute().relative_to(root)
        yield "file", file.as_posix()
        yield "line", str(failure.position.line)
        yield "col", str(failure.position.column)
    yield "title", f"{entry.label or entry.state} {entry.level}".strip() + f": {entry.text}"


def _told(entry: Entry) -> str:
    failure = _failure(entry)
    lines = [entry.reason or entry.state]
    if failure is not None:
        lines += [
            f"{each.path or 'the answer'}: expected {each.expected}, was {each.actual}"
            for each in failure.mismatches[:5]
        ]
    if entry.reproduce:
        lines.append(entry.reproduce)
    return "\n".join(one_line(line, 1_000) for line in lines)


def _failure(entry: Entry) -> Failure | None:
    known = (None if case.finished is None else case.finished.failure for case in entry.cases)
    return next((each for each in known if each is not None), None)


def _command(kind: str, properties: dict[str, str], message: str) -> str:
    named = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    text = "\n".join(block(message, lines=20, columns=1_000))
    return f"::{kind} {named}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(one_line(text, 300)).replace(":", "%3A").replace(",", "%2C")
