"""The problems of one document, gathered while it is checked.

What is wrong is decided in `checks`, `mentions` and `expected`; here only where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collector_harness.documents import Document
from collector_harness.errors import Problem
from collector_harness.scenario.matching_syntax import Finding, Location

__all__ = ["Findings", "Values", "children", "mapping"]

Values = Mapping[str, object]
"""A mapping of a document, as it is written."""


class Findings:
    """Takes what is wrong, by its place in a document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        """Whose places are meant."""
        self.problems: list[Problem] = []
        """What was found so far."""

    def add(self, place: Location, message: str, hint: str | None, *, key: bool = False) -> None:
        """Takes one problem; `key` means the key at the place, and not its value."""
        position = self.document.position(place, key=key)
        self.problems.append(Problem(message=message, position=position, hint=hint))

    def add_all(self, findings: Iterator[Finding]) -> None:
        """Takes everything that a search finds."""
        for finding in findings:
            self.add(finding.place, finding.message, finding.hint, key=finding.key)


def mapping(value: object) -> dict[str, object]:
    """Returns a mapping as it is, and an empty one for anything else: the model tells of that."""
    return value if isinstance(value, dict) else {}


def children(value: object) -> Iterator[tuple[str | int, object]]:
    """Yields what is directly in a mapping or a list, with its key or index."""
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
