"""What a run leaves: the rows of `results.json`, and the table that is printed.

A row stands for itself, since its floor was measured in the same run. So a run of
some benchmarks replaces their rows and keeps the others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contests import Figure
from benchmarks.ratios import Summary, Verdict, judge

__all__ = ["Row", "as_table", "row", "write"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure of one benchmark, with the fields of `results.json` in their order."""

    id: str
    what: str
    ratio: float
    low: float
    high: float
    control: float
    target: str
    """Such as `<= 1.1`; always about the ratio."""
    floor: float
    """The median of the floor, in `unit`."""
    unit: str
    rounds: int


def row(id_: str, figure: Figure, summary: Summary) -> tuple[Row, Verdict]:
    """Returns a figure's row and how it stands to its target."""
    made = Row(
        id=id_,
        what=figure.what,
        ratio=round(summary.ratio, 4),
        low=round(summary.low, 4),
        high=round(summary.high, 4),
        control=round(summary.control, 4),
        target=str(figure.target.over(summary.floor)),
        floor=round(summary.floor, 4),
        unit=figure.unit,
        rounds=summary.rounds,
    )
    return made, judge(summary, figure.target)


def write(path: Path, rows: Sequence[Row], measured: Collection[str]) -> None:
    """Writes the rows in place of those of the ids in `measured`, and keeps other ids' rows.

    The file is replaced as a whole, so that an interrupted run leaves the old one. What is
    there but is not a list of rows is replaced too.
    """
    kept = [old for old in _read(path) if old.get("id") not in measured]
    merged = sorted([*kept, *(asdict(new) for new in rows)], key=_number)
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    scratch.write_text(json.dumps(merged, indent=2) + "\n", encoding="utf-8")
    scratch.replace(path)


def _read(path: Path) -> list[dict[str, object]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [old for old in found if isinstance(old, dict)] if isinstance(found, list) else []


def _number(row_: dict[str, object]) -> int:
    digits = str(row_.get("id", "")).removeprefix("P")
    return int(digits) if digits.isdecimal() else 0


def as_table(judged: Sequence[tuple[Row, Verdict]]) -> str:
    """Returns the rows as text: the figures in columns, and what each is below it."""
    columns = [("id", "ratio", "low", "high", "A/A", "target", "verdict", "floor")]
    columns += [
        (
            one.id,
            f"{one.ratio:.3f}",
            f"{one.low:.3f}",
            f"{one.high:.3f}",
            f"{one.control:.3f}",
            one.target,
            verdict.value,
            f"{one.floor:.4g} {one.unit}",
        )
        for one, verdict in judged
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*columns, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in columns
    ]
    for index, (one, _) in enumerate(judged):
        lines[index + 1] += f"\n{' ' * (widths[0] + 2)}{one.what}"
    return "\n".join(lines)
