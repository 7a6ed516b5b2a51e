"""A document of which parts come from other documents, where each value keeps its own place.

What is taken from where, and how both are joined, is for those who know what the texts mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from collector_harness.documents.document import Document, Location
from collector_harness.errors import Position

__all__ = ["Graft", "Grafted", "joined"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Graft:
    """A part of another document, and where it hangs."""

    at: tuple[str | int, ...]
    """Where in the joined value."""
    document: Document
    there: tuple[str | int, ...] = ()
    """Where in its own document."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Grafted(Document):
    """A text with parts of others: `value` is the whole, and what it says itself comes first."""

    own: Document
    """What the text says alone."""
    grafts: tuple[Graft, ...]

    def position(self, location: Location, *, key: bool = False) -> Position:
        """Returns where the value at `location` stands, in whichever text that is."""
        document, there = self._home(location)
        return document.position(there, key=key)

    def line(self, location: Location) -> int:
        """Returns the line of the key at `location`, in whichever text that is."""
        document, there = self._home(location)
        return document.line(there)

    def has(self, location: Location) -> bool:
        """Tells whether `location` leads to a value of the whole."""
        return self.followed(location) == len(location)

    def folder_of(self, location: Location) -> Path | None:
        """Returns the folder of the file that says the value at `location`."""
        document, there = self._home(location)
        return document.folder_of(there)

    def _home(self, location: Location) -> tuple[Document, Location]:
        """Returns the document that leads furthest to a value, and the way there in it."""
        home: tuple[Document, Location] = (self.own, location)
        furthest = self.own.followed(location)
        for graft in self.grafts:
            rest = tuple(location[len(graft.at) :])
            if (*graft.at, *rest) != tuple(location):
                continue
            way = (*graft.there, *rest)
            reached = graft.document.followed(way) - len(graft.there) + len(graft.at)
            if reached > furthest:
                home, furthest = (graft.document, way), reached
        return home


def joined(base: object, own: object) -> object:
    """Returns what two values say together: mappings key by key; anything else of `own` stands in
    place of the base's, unless it is null where the base has a mapping.
    """
    if not isinstance(base, dict) or not (own is None or isinstance(own, dict)):
        return own
    whole = dict(base)
    for key, value in (own or {}).items():
        whole[key] = joined(base[key], value) if key in base else value
    return whole
