"""Runs a mutant as a process, by the launch contract: `python tests/mutants/run.py NAME`.

A mutant is the reference collector with one piece replaced by a subclass of it; which, and what
that breaks, is in `catalogue/`. It keeps the short limits by which the reference is verified in
process, so that nobody waits for the protocol's own.
"""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import replace

from reading import read_mutants

from collector_harness.conformance.haste import HASTY_SETTINGS
from collector_reference import serving
from collector_reference.errors import SettingsError

_INVALID_SETTINGS = 2


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


def main() -> int:
    """Serves by the launch contract, in haste; returns the exit code."""
    try:
        settings = serving.process_settings(os.environ)
    except SettingsError as error:
        serving.complain(error)
        return _INVALID_SETTINGS
    return serving.serve(replace(settings, **dict(HASTY_SETTINGS)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: run.py NAME")
    become(sys.argv[1])
    sys.exit(main())
