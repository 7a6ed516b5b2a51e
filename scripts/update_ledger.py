"""Writes every case of the suite into the ledger of case ids; with --check only compares.

Run it after a case was added, renamed or dropped. A case that was renamed needs an alias: move
the old entry's id to `was` of the new one by hand, and run this again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generated_file import keep

from collector_harness.conformance.ledger import ledger, written
from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.suite import load_suite

FILE = Path(__file__).parents[1] / "harness/collector_harness/conformance/ledger.toml"


def main(arguments: list[str]) -> int:
    """Returns 0 when the ledger is complete, or was made so, and 1 when a check finds otherwise."""
    every = catalogue()
    text = written(ledger().updated(load_suite(catalogue=every), version=every.version))
    otherwise = f"{FILE.name} does not list every case as it is; run scripts/update_ledger.py"
    return keep(FILE, text, arguments, otherwise=otherwise)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
