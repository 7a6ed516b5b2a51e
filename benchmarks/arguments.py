"""What `python -m benchmarks` is asked to do: the command line as one value.

Reads nothing but its arguments; the ids that exist are passed in.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ENOUGH_ROUNDS", "Options", "parse"]

ENOUGH_ROUNDS = 7
"""With fewer, a median is for finding one's way, not for quoting."""
QUICK_ROUNDS = 3
RESULTS = Path("benchmarks") / "results.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What to measure and where to write it."""

    ids: tuple[str, ...]
    """In the order of the catalogue, each once."""
    rounds: int
    output: Path


def parse(arguments: Sequence[str], known: Sequence[str], apart: Collection[str] = ()) -> Options:
    """Returns the options; for wrong ones prints what is wrong and ends with status 2.

    Ids in `apart` are run only when they are named.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures the project against bare gRPC and writes the ratios. "
        "A missed target is reported, and is not a failure.",
        epilog=f"The benchmarks are: {', '.join(known)}.",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="run only these, such as P1 P2")
    parser.add_argument(
        "--id", nargs="+", action="extend", default=[], metavar="ID", help="the same"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--rounds", type=_rounds, default=ENOUGH_ROUNDS, help=f"default: {ENOUGH_ROUNDS}"
    )
    length.add_argument(
        "--quick",
        dest="rounds",
        action="store_const",
        const=QUICK_ROUNDS,
        help=f"{QUICK_ROUNDS} rounds: enough to see that it works",
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    given = parser.parse_args(arguments)
    named = [*given.ids, *given.id]
    for text in named:
        if text.upper() not in known:
            parser.error(_unknown(text, known))
    output: Path = given.output
    if not output.parent.is_dir():
        parser.error(f"--output: there is no folder '{output.parent}'")
    wanted = {text.upper() for text in named} or set(known) - set(apart)
    return Options(
        ids=tuple(id_ for id_ in known if id_ in wanted),
        rounds=given.rounds,
        output=output,
    )


def _rounds(text: str) -> int:
    try:
        rounds = int(text)
    except ValueError:
        rounds = 0
    if rounds < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of rounds, such as 7")
    return rounds


def _unknown(text: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(text.upper(), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"there is no benchmark '{text}': {hint}"
