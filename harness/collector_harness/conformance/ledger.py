"""The ledger of case ids: when each came, what it is for, and how it was called before.

An id is a promise to whoever cites it. It is never given to another case, a case that is renamed
keeps its old id as an alias, and one that is dropped stays in the ledger.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from collector_harness.conformance.suite import Suite
from collector_harness.errors import InternalFault, InvalidInput, Problem

__all__ = ["Entry", "Ledger", "ledger", "parse_ledger", "written"]

_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){0,2}")
_HEAD: Final = """\
# The ids of all cases that there ever were, with the version of the suite in which each came and
# the requirements that it is for. Written by `python scripts/update_ledger.py`; an id is never
# removed. A case that was renamed has `was`, its former ids; one that is gone has `until`.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A case that there is, or was."""

    since: str
    """The version of the suite in which it came."""
    requirements: tuple[str, ...]
    was: tuple[str, ...] = ()
    """Ids that it had before."""
    until: str | None = None
    """The first version without it; None while it is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """All entries by case id. Raises `InternalFault` where an id stands for two cases."""

    entries: Mapping[str, Entry]

    def __post_init__(self) -> None:
        former = [name for entry in self.entries.values() for name in entry.was]
        twice = {name for name in former if name in self.entries or former.count(name) > 1}
        if twice:
            raise InternalFault(f"the case id '{min(twice)}' stands for two cases")

    def as_of(self, version: str) -> frozenset[str]:
        """Returns the ids of the cases that there were in a version.

        Raises `InvalidInput` for what is no version, or none that there was yet.
        """
        known = sorted({entry.since for entry in self.entries.values()}, key=_number)
        if _VERSION.fullmatch(version) is None or _number(version) < _number(known[0]):
            raise InvalidInput(
                Problem(
                    message=f"there is no version '{version}' of the suite",
                    hint=f"cases came in: {', '.join(known)}",
                )
            )
        return frozenset(
            name for name, entry in self.entries.items() if _number(entry.since) <= _number(version)
        )

    def updated(self, suite: Suite, *, version: str) -> Ledger:
        """Returns the ledger with every case of the suite in it; those that are gone stay.

        Raises `InternalFault` where a case would get the id of one that is gone, or a former id.
        """
        requirements: dict[str, list[str]] = {}
        for key, cases in suite.cases.items():
            for case in cases:
                requirements.setdefault(case.name, []).append(key)
        former = {name for entry in self.entries.values() for name in entry.was}
        entries = dict(self.entries)
        for name, keys in requirements.items():
            if name in former or (name in entries and entries[name].until is not None):
                raise InternalFault(f"the case id '{name}' was used before; give it another title")
            old = entries.get(name)
            entries[name] = Entry(
                since=version if old is None else old.since,
                requirements=tuple(keys),
                was=() if old is None else old.was,
            )
        for name, entry in self.entries.items():
            if name not in requirements and entry.until is None:
                entries[name] = Entry(
                    since=entry.since,
                    requirements=entry.requirements,
                    was=entry.was,
                    until=version,
                )
        return Ledger(entries=dict(sorted(entries.items())))


@functools.cache
def ledger() -> Ledger:
    """Returns the ledger of this version of the package."""
    file = resources.files(__package__).joinpath("ledger.toml")
    return parse_ledger(file.read_text(encoding="utf-8"))


def parse_ledger(text: str) -> Ledger:
    """Returns a ledger from TOML; raises `InternalFault` where it contradicts itself."""
    return Ledger(
        entries={
            name: Entry(
                since=row["since"],
                requirements=tuple(row["requirements"]),
                was=tuple(row.get("was", ())),
                until=row.get("until"),
            )
            for name, row in tomllib.loads(text).items()
        }
    )


def written(entries: Ledger) -> str:
    """Returns a ledger as the text of its file."""
    return _HEAD + "".join(
        f"\n[{_text(name)}]\n"
        f"since = {_text(entry.since)}\n"
        f"requirements = {_list(entry.requirements)}\n"
        + (f"was = {_list(entry.was)}\n" if entry.was else "")
        + (f"until = {_text(entry.until)}\n" if entry.until else "")
        for name, entry in entries.entries.items()
    )


def _number(version: str) -> tuple[int, ...]:
    found = [int(part) for part in version.split(".")]
    return tuple([*found, 0, 0][:3])


def _list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
