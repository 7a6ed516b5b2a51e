"""The requirement catalogue of the protocol as values, read from `requirements.toml`.

The file is data: an id with its level, sources and text, how it can be observed, and
which requirements it builds on. How a requirement is checked is the scenarios' business,
and what a result means is `verdicts`'.
"""

from __future__ import annotations

import difflib
import functools
import graphlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal, cast

from collector_harness.errors import InternalFault, InvalidInput, Problem

__all__ = ["Catalogue", "Level", "Mark", "Requirement", "catalogue", "parse_catalogue"]

Level = Literal["MUST", "SHOULD"]
Mark = Literal["exec", "lib", "limit"]

_LEVELS = ("MUST", "SHOULD")
_MARKS = ("exec", "lib", "limit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One thing that a collector must or should do."""

    id: str
    """Such as `DSP-004`; never changed and never reused."""
    level: Level
    """A broken MUST fails a verdict; a broken SHOULD is only reported."""
    sources: tuple[str, ...]
    """Short names of where it comes from; `Catalogue.sources` has them in full."""
    text: str
    """The requirement itself, in one sentence without a full stop."""
    marks: tuple[Mark, ...] = ()
    """`exec`: needs a target that can be launched; `lib`: seen only through the Python API;
    `limit`: checked against a limit that the target declares."""
    builds_on: tuple[str, ...] = ()
    """Ids without which the requirement's cases mean nothing."""

    @property
    def family(self) -> str:
        """The part of the id before the dash, such as `DSP`."""
        return self.id.partition("-")[0]


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All requirements of one version of the protocol.

    Raises `InternalFault` where an id has no known family, a source is not explained, or
    `builds_on` names a requirement that does not exist or leads back to itself.
    """

    version: str
    """Of the catalogue; a result names it."""
    sources: Mapping[str, str]
    """Each source in full, by its short name."""
    families: Mapping[str, str]
    """What each family is about, by its short name."""
    requirements: Mapping[str, Requirement]
    """By id, in the order of the protocol."""

    def __post_init__(self) -> None:
        for requirement in self:
            if requirement.family not in self.families:
                raise InternalFault(f"{requirement.id} belongs to no known family")
            for source in requirement.sources:
                if source not in self.sources:
                    raise InternalFault(f"{requirement.id} cites the unknown source {source}")
            for prerequisite in requirement.builds_on:
                if prerequisite not in self.requirements:
                    raise InternalFault(f"{requirement.id} builds on {prerequisite}: no such id")
        self.in_dependency_order()

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self.requirements.values())

    def __len__(self) -> int:
        return len(self.requirements)

    def __contains__(self, key: object) -> bool:
        return key in self.requirements

    def __getitem__(self, key: str) -> Requirement:
        """Returns the requirement; raises `InvalidInput` with a did-you-mean."""
        try:
            return self.requirements[key]
        except KeyError:
            close = difflib.get_close_matches(key.upper(), self.requirements, n=1)
            families = ", ".join(self.families)
            raise InvalidInput(
                Problem(
                    message=f"there is no requirement '{key}'",
                    hint=f"did you mean '{close[0]}'?"
                    if close
                    else f"an id is a family and a number, such as DSP-004; "
                    f"the families are: {families}",
                )
            ) from None

    def in_dependency_order(self) -> tuple[str, ...]:
        """Returns all ids so that each comes after everything that it builds on."""
        graph = {requirement.id: requirement.builds_on for requirement in self}
        try:
            return tuple(graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as error:
            circle = " -> ".join(cast("list[str]", error.args[1]))
            raise InternalFault(f"requirements build on each other in a circle: {circle}") from None

    def with_prerequisites(self, ids: Iterable[str]) -> frozenset[str]:
        """Returns the ids and everything that they build on, however far down."""
        found: set[str] = set()
        pending = list(ids)
        while pending:
            key = pending.pop()
            if key not in found:
                found.add(key)
                pending.extend(self[key].builds_on)
        return frozenset(found)


@functools.cache
def catalogue() -> Catalogue:
    """Returns the catalogue that this version of the package verifies against."""
    file = resources.files(__package__).joinpath("requirements.toml")
    return parse_catalogue(file.read_text(encoding="utf-8"))


def parse_catalogue(text: str) -> Catalogue:
    """Returns a catalogue from TOML; raises `InternalFault` where it contradicts itself."""
    data = tomllib.loads(text)
    return Catalogue(
        version=data["version"],
        sources=data["sources"],
        families=data["families"],
        requirements={key: _requirement(key, row) for key, row in data["requirements"].items()},
    )


def _requirement(key: str, row: dict[str, object]) -> Requirement:
    unknown = row.keys() - {"level", "sources", "text", "marks", "builds_on"}
    if unknown:
        raise InternalFault(f"{key} has the unknown key {min(unknown)}")
    marks = cast("list[str]", row.get("marks", []))
    if row["level"] not in _LEVELS or not set(marks) <= set(_MARKS):
        raise InternalFault(f"{key} has an unknown level or mark")
    return Requirement(
        id=key,
        level=cast("Level", row["level"]),
        sources=tuple(cast("list[str]", row["sources"])),
        text=cast("str", row["text"]),
        marks=cast("tuple[Mark, ...]", tuple(marks)),
        builds_on=tuple(cast("list[str]", row.get("builds_on", []))),
    )
