"""A file that appears whole, or not at all.

A file of an earlier run is removed before the run, so that it cannot pass for this one's.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from collector_harness.errors import EnvironmentLacks

__all__ = ["WholeFile"]


class WholeFile:
    """A place for one document, made ready before there is something to write.

    `what` names the document in messages. Raises `EnvironmentLacks` when the file cannot be
    written, as far as this can be told beforehand, and by `write` otherwise.
    """

    def __init__(self, path: Path, *, what: str) -> None:
        self._path = path
        self._what = what
        if not path.parent.is_dir():
            raise EnvironmentLacks(
                f"cannot write {what} to {path}: there is no folder {path.parent}; make it "
                "first, or name another file"
            )
        if path.is_dir():
            raise EnvironmentLacks(f"cannot write {what} to {path}: it is a folder")
        if path.is_file():
            with self._translated():
                path.unlink()

    def write(self, document: Mapping[str, object]) -> None:
        """Writes the document as JSON; whoever looks sees all of it or nothing."""
        self.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")

    def write_text(self, text: str) -> None:
        """Writes text in the same way."""
        with self._translated():
            if self._path.exists() and not self._path.is_file():
                # A device or a pipe, such as /dev/stdout, is written to and never replaced.
                self._path.write_text(text, encoding="utf-8")
            else:
                self._replace(text)

    def _replace(self, text: str) -> None:
        scratch = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        try:
            with scratch.open("x", encoding="utf-8") as file:
                file.write(text)
            scratch.replace(self._path)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EnvironmentLacks(
                f"cannot write {self._what} to {self._path}: {error.strerror}"
            ) from error
