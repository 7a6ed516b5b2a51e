"""Paths of scenario files as short as they can be told in a report. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Final

__all__ = ["shared_folder", "short_case", "shortened"]

_SHIPPED: Final = (
    "/collector_harness/shipped/scenarios/conformance/",
    "/collector_harness/conformance/",
)
_IN_A_CHECKOUT: Final = "/scenarios/conformance/"


def shared_folder(paths: Sequence[str]) -> str:
    """Returns the folder that all paths have in common, with its slash; empty where there is none
    of more than one part, which would be worth nothing to leave out.
    """
    folders = {posixpath.dirname(path) for path in paths}
    if not folders or any(not folder for folder in folders):
        return ""
    absolute = {posixpath.isabs(folder) for folder in folders}
    common = posixpath.commonpath(folders) if len(absolute) == 1 else ""
    return f"{common}/" if common.count("/") > 1 else ""


def shortened(path: str, folder: str = "") -> str:
    """Returns a path without the folder that it shares with others, and a file of the suite that is
    shipped without where the package happens to be.
    """
    known = (*_SHIPPED, _IN_A_CHECKOUT) if posixpath.isabs(path) else _SHIPPED
    for shipped in known:
        _, found, rest = f"/{path}".partition(shipped)
        if found:
            return rest
    return path[len(folder) :] if folder and path.startswith(folder) else path


def short_case(case: str) -> str:
    """Returns the id of a case with a short path, for a line that tells how far a run is."""
    path, mark, title = case.partition("::")
    return f"{shortened(path)}{mark}{title}"
