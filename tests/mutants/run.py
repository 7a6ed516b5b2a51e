"""Runs a mutant as a process, by the launch contract: `python tests/mutants/run.py NAME`.

A mutant is the reference collector with one piece replaced by a subclass of it; which, and what
that breaks, is in `catalogue/`.
"""

from __future__ import annotations

import importlib
import sys

from reading import read_mutants

from collector_reference.__main__ import main


def become(name: str) -> None:
    """Puts the mutant's pieces in the place of the reference's."""
    mutants = read_mutants()
    if name not in mutants:
        sys.exit(f"there is no mutant '{name}'; there are: {', '.join(mutants)}")
    for place, replacement in mutants[name]["replaces"].items():
        module, _, piece = place.partition(":")
        where = importlib.import_module(f"collector_reference.{module}")
        theirs, _, attribute = replacement.partition(":")
        broken = getattr(importlib.import_module(theirs), attribute)
        if not issubclass(broken, getattr(where, piece)):
            sys.exit(f"{replacement} is no {piece}")
        setattr(where, piece, broken)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: run.py NAME")
    become(sys.argv[1])
    sys.exit(main())
