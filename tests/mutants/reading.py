"""What mutants there are, from the files in `catalogue/`, one per family of requirements.

A mutant is the reference collector with one piece replaced by a subclass of it. `breaks` is the
requirement that it breaks, `does` tells how. `replaces` names the piece where the reference puts
it together, as a module of `collector_reference` and a name in it, and what takes its place as
`module:class` in this folder. `process` marks what shows only in a process of its own.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NotRequired, TypedDict

CATALOGUE = Path(__file__).with_name("catalogue")


class Mutant(TypedDict):
    """What the catalogue says of a mutant."""

    breaks: str
    does: str
    replaces: dict[str, str]
    process: NotRequired[bool]


def read_mutants() -> dict[str, Mutant]:
    """Returns the mutants by name, in the order of their families' files.

    Raises `ValueError` for a name that two files give.
    """
    mutants: dict[str, Mutant] = {}
    for file in sorted(CATALOGUE.glob("*.toml")):
        for name, mutant in tomllib.loads(file.read_text()).items():
            if name in mutants:
                raise ValueError(f"{file.name}: there are two mutants '{name}'")
            mutants[name] = mutant
    return mutants
