"""Writes docs/protocol.md, the public specification, from the catalogue of requirements; with
--check only compares.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generated_file import keep

from collector_harness.conformance.page import protocol_page

FILE = Path(__file__).parents[1] / "docs/protocol.md"


def main(arguments: list[str]) -> int:
    """Returns 0 when the page is as the catalogue says, or was made so, and 1 where it is not."""
    otherwise = f"{FILE.name} is not what the catalogue says; run scripts/generate_protocol_page.py"
    return keep(FILE, protocol_page(), arguments, otherwise=otherwise)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
