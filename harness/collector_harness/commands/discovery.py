"""PATHS on the command line become scenario files: files, folders, and single cases in a file.

Which files there are is decided here; what is in them is the business of
`scenario.loading`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from collector_harness.commands.ending import NothingToRun
from collector_harness.errors import InvalidInput, Problem

__all__ = ["SUFFIX", "Found", "discover"]

SUFFIX: Final = ".scenario.yaml"
_SKIPPED: Final = frozenset({"__pycache__", "node_modules"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A scenario file that the user asked for."""

    path: Path
    """As the user named it, or below the folder that the user named."""
    only: tuple[str, ...] = ()
    """The titles or `title[case]` that were asked for by `FILE::…`; empty for all."""


def discover(paths: Sequence[str]) -> tuple[Found, ...]:
    """Returns the scenario files that the paths stand for, each once, in a fixed order.

    A path is a `*.scenario.yaml` file, a folder (searched through in sorted order; hidden
    folders are left out), or `FILE::title` and `FILE::title[case]` for what one file holds.
    Raises `InvalidInput` with every path that does not exist or is not a scenario file, and
    `NothingToRun` for a folder without scenario files.
    """
    problems: list[Problem] = []
    chosen: dict[Path, list[Found]] = {}
    empty: list[str] = []
    for text in paths:
        name, title = _split(text)
        path = Path(name)
        if path.is_dir() and title is None:
            files = tuple(_search(path))
            if not files:
                empty.append(text)
            found = [Found(path=file) for file in files]
        elif path.is_file() and path.name.endswith(SUFFIX):
            found = [Found(path=path, only=() if title is None else (title,))]
        else:
            problems.append(_problem(path))
            continue
        for each in found:
            chosen.setdefault(each.path.resolve(), []).append(each)
    if problems:
        raise InvalidInput(problems)
    if empty:
        names = ", ".join(f"'{text}'" for text in empty)
        raise NothingToRun(f"there is no file *{SUFFIX} in {names}")
    return tuple(_merged(found) for found in chosen.values())


def _split(text: str) -> tuple[str, str | None]:
    head, separator, title = text.partition(f"{SUFFIX}::")
    return (head + SUFFIX, title) if separator else (text, None)


def _merged(found: Sequence[Found]) -> Found:
    if any(not each.only for each in found):
        return Found(path=found[0].path)
    return Found(path=found[0].path, only=tuple(title for each in found for title in each.only))


def _search(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in _SKIPPED
        )
        yield from (Path(base, name) for name in sorted(files) if name.endswith(SUFFIX))


def _unreadable(error: OSError) -> NoReturn:
    """A folder that cannot be looked into is not an empty one."""
    raise InvalidInput(
        Problem(
            message=f"the folder '{error.filename}' cannot be read: {error.strerror}",
            hint="check its permissions, or name the folders and files that are meant",
        )
    ) from error


def _problem(path: Path) -> Problem:
    if path.is_dir():
        return Problem(message=f"'{path}' is a folder, so it has no case of that title")
    if path.exists():
        return Problem(
            message=f"'{path}' is not a scenario file",
            hint=f"the name of a scenario file ends in {SUFFIX}",
        )
    return Problem(
        message=f"there is no file or folder '{path}'", hint=_suggestion(path, _neighbours(path))
    )


def _neighbours(path: Path) -> Iterable[str]:
    try:
        return [
            entry.name
            for entry in os.scandir(path.parent)
            if entry.is_dir() or entry.name.endswith(SUFFIX)
        ]
    except OSError:
        return ()


def _suggestion(path: Path, neighbours: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(path.name, list(neighbours), n=1)
    if close:
        return f"did you mean '{path.parent / close[0]}'?"
    if not path.parent.is_dir():
        return f"there is no folder '{path.parent}' either; paths start at {Path.cwd()}"
    return None
