"""The files that a text names beside itself: found from its folder, and only below the root of
its suite.
"""

from __future__ import annotations

from pathlib import Path

from collector_harness.documents.suggestions import did_you_mean
from collector_harness.errors import InvalidInput, Problem

__all__ = ["file_of_suite"]

_ROOT_MARKS = ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", ".git")
_MOST_LOOKED_AT = 200


def file_of_suite(path: str, folder: Path | None) -> Path:
    """Returns the file at a path from a folder, which is that of the text that names it; None is a
    mere text.

    Raises `InvalidInput`, without a place, for a mere text, for a file that is not there, and for
    one outside of the suite.
    """
    if folder is None:
        raise InvalidInput("a text that is no file cannot name another file")
    root = _root_of(folder).resolve()
    found = (folder / path).resolve()
    if not path or not found.is_relative_to(root):
        raise InvalidInput(
            Problem(
                message=f"'{path}' is outside of the suite",
                hint=f"what is used stands below {root.name}, the nearest folder upwards with a "
                "pyproject.toml, pytest.ini or .git",
            )
        )
    if not found.is_file():
        near = [each.name for each in sorted(found.parent.glob("*.yaml"))[:_MOST_LOOKED_AT]]
        hint = did_you_mean(found.name, near, what="beside it are") if near else None
        raise InvalidInput(Problem(message=f"there is no file '{path}'", hint=hint))
    return found


def _root_of(folder: Path) -> Path:
    for each in (folder, *folder.parents):
        if any((each / mark).exists() for mark in _ROOT_MARKS):
            return each
    return folder
