"""Writes docs/mutants.md from the mutants' catalogue and the matrix of `make mutants`.

`--check` writes nothing, and fails where the page is not what it would be. Nothing is run here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from generated_file import keep

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/mutants.md"
sys.path.insert(0, str(ROOT / "tests/mutants"))

_HEAD = """\
# Mutants

Collectors that are each broken in one way, so that the suite is proven to see it. A mutant is the
reference collector with one piece replaced; `tests/mutants/catalogue/` says which. Every change is
tested with each mutant against the cases of its own requirement and what that builds on. `make
mutants` runs each against the whole suite and keeps what it found in `tests/mutants/matrix.json`:
a mutant is to be caught by its requirement, and to be accused of no other that it does not touch.
Written by `python scripts/generate_mutants_page.py`.

"""


def page() -> str:
    """Returns the page as it should be."""
    from matrix import accused, is_right  # type: ignore[import-not-found]
    from matrix import rows as found_rows
    from reading import read_mutants  # type: ignore[import-not-found]

    mutants = read_mutants()
    found: dict[str, dict[str, Any]] = found_rows()
    rows = {name: found[name] for name in mutants if name in found}
    right = sum(is_right(row) for row in rows.values())
    count = f"{len(mutants)} mutants; {len(rows)} were run against the whole suite"
    lines = [
        f"{count}, {right} of them were caught and accused of nothing else.\n",
        "| mutant | breaks | what it does | against the whole suite |",
        "| --- | --- | --- | --- |",
    ]
    for name, mutant in sorted(mutants.items(), key=lambda each: (each[1]["breaks"], each[0])):
        row = rows.get(name)
        if row is None:
            said = "not run yet"
        elif is_right(row):
            said = f"caught; {row['passed']} pass, {len(row['blocked'])} blocked"
        else:
            said = f"**accused of {', '.join(accused(row))}**" if accused(row) else "**not caught**"
        touched = "".join(f"; also {key}: {why}" for key, why in mutant.get("touches", {}).items())
        does = f"{mutant['does']}{touched}"
        lines.append(f"| `{name}` | {mutant['breaks']} | {does} | {said} |")
    return _HEAD + "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Returns 0 when the page is as it should be, or was made so, and 1 where it is not."""
    otherwise = "docs/mutants.md is not what the catalogue and the matrix say: write it anew"
    return keep(PAGE, page(), arguments, otherwise=otherwise)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
