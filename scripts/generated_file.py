"""A file of the repository that is generated: written anew, or with `--check` only compared."""

from __future__ import annotations

from pathlib import Path

__all__ = ["keep"]


def keep(file: Path, text: str, arguments: list[str], *, otherwise: str) -> int:
    """Writes the text where the file is not so already, and returns 0; with `--check` among the
    arguments it prints `otherwise` instead, and returns 1.
    """
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in arguments:
        print(otherwise)
        return 1
    file.write_text(text, encoding="utf-8")
    return 0
