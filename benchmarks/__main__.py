"""The command: runs the benchmarks that are asked for, prints a table and writes the results.

Ends with 0 whether targets are met or not, 1 when something could not be measured,
2 for wrong arguments, and 130 when interrupted.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Sequence

from benchmarks.arguments import ENOUGH_ROUNDS, Options, parse
from benchmarks.catalogue import APART, contests_of, modules
from benchmarks.contests import run_rounds
from benchmarks.ratios import Verdict, summarise
from benchmarks.results import Row, as_table, row, write

NOISY = 1.15
"""A floor that differs from itself by more than this says more about the machine than the ratio
does about the code."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    catalogue = modules()
    options = parse(sys.argv[1:] if arguments is None else arguments, tuple(catalogue), APART)
    try:
        judged, failed = asyncio.run(_measure(options, catalogue))
    except KeyboardInterrupt:
        print("interrupted: what was finished before is written", file=sys.stderr)
        return 130
    if judged:
        print(as_table(judged))
        print(f"\nwritten to {options.output}")
    if options.rounds < ENOUGH_ROUNDS:
        print(f"with fewer than {ENOUGH_ROUNDS} rounds these figures are not for quoting")
    noisy = sorted({made.id for made, _ in judged if made.control > NOISY})
    if noisy:
        print(f"the floor of {', '.join(noisy)} differs from itself: repeat on a quieter machine")
    for id_ in failed:
        print(f"{id_} could not be measured: its error is above", file=sys.stderr)
    return 1 if failed else 0


async def _measure(
    options: Options, catalogue: dict[str, str]
) -> tuple[list[tuple[Row, Verdict]], list[str]]:
    """Runs the benchmarks one after the other, and writes after each."""
    judged: list[tuple[Row, Verdict]] = []
    failed: list[str] = []
    for id_ in options.ids:
        try:
            rows = await _run(id_, catalogue[id_], options.rounds)
        except Exception:  # noqa: BLE001  one that cannot be measured must not cost the others
            _progress("")
            traceback.print_exc()
            failed.append(id_)
            continue
        judged += rows
        write(options.output, [made for made, _ in rows], measured=(id_,))
    return judged, failed


async def _run(id_: str, module: str, rounds: int) -> list[tuple[Row, Verdict]]:
    rows: list[tuple[Row, Verdict]] = []
    contests = contests_of(module)
    for place, contest in enumerate(contests, start=1):

        def tell(number: int, place: int = place) -> None:
            part = f" {place}/{len(contests)}" if len(contests) > 1 else ""
            state = f"round {number} of {rounds}" if number else "warming up"
            _progress(f"{id_}{part}: {state}")

        results = await run_rounds(contest, rounds, tell)
        _progress("")
        rows += [row(id_, figure, summarise(results[figure.name])) for figure in contest.figures]
    return rows


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
