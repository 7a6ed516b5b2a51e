"""The folder of one mesh for what lives no longer than it: keys, tokens, databases."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from collector_harness.launchers.reaper import the_reaper

__all__ = ["MeshFolder"]


class MeshFolder:
    """A temporary folder, made when something is first put in it."""

    def __init__(self) -> None:
        self._path: Path | None = None

    def place(self, name: str) -> Path:
        """Returns where a file of that name is, or will be."""
        if self._path is None:
            # Only its owner can enter it: it holds keys.
            self._path = Path(tempfile.mkdtemp(prefix="collector-harness-"))
            the_reaper().guard_folder(self._path)
        return self._path / name

    def remove(self) -> None:
        """Removes it with all that is in it. Safe to call again."""
        path, self._path = self._path, None
        if path is not None:
            shutil.rmtree(path, ignore_errors=True)
            the_reaper().release_folder(path)
