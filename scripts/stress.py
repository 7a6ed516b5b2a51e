"""Runs the scenarios of a mesh and the conformance suite again and again, shuffled, with every core
busy, for as long as is asked; ends with 1 at the first round that fails.

Each round has a seed of its own, which is told: it repeats the round.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BUSY = "while True: sum(range(10_000))"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs rounds until the time is up, and tells how many cases passed."""
    options = _options(arguments)
    begin, rounds, cases = time.monotonic(), 0, 0
    burners = [
        subprocess.Popen([sys.executable, "-c", _BUSY], stdin=subprocess.DEVNULL)
        for _ in range(options.burners)
    ]
    try:
        while rounds < 1 or time.monotonic() - begin < options.minutes * 60:
            seed = random.SystemRandom().randrange(2**31)
            for command in _commands(seed):
                done, passed = _run(command)
                cases += passed
                if done != 0:
                    print(f"round {rounds + 1} failed: {' '.join(command)}", flush=True)
                    return 1
            rounds += 1
            print(f"round {rounds}: {cases} cases passed so far (seed {seed})", flush=True)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    minutes = (time.monotonic() - begin) / 60
    print(f"{rounds} rounds, {cases} cases passed, none failed in {minutes:.1f} min")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="for how long; 30 by default")
    parser.add_argument(
        "--burners",
        type=int,
        default=os.cpu_count() or 1,
        help="processes that only keep a core busy; one for each core by default",
    )
    return parser.parse_args(arguments)


def _commands(seed: int) -> list[list[str]]:
    program = [sys.executable, "-m", "collector_harness"]
    shuffled = ["--seed", str(seed)]
    return [
        [*program, "run", "scenarios/mesh", "--repeat", "2", "--shuffle", *shuffled],
        [*program, "verify", "reference", "--repeat", "2", "--shuffle", *shuffled],
    ]


def _run(command: list[str]) -> tuple[int, int]:
    """Returns how a command ended, and how many cases passed in it; shows it where it failed."""
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "events.jsonl"
        done = subprocess.run(
            [*command, "--jsonl", str(stream)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            print(done.stdout[-20_000:], done.stderr[-5_000:], sep="\n", flush=True)
        passed = 0
        with stream.open(encoding="utf-8") as events:
            for line in events:
                if '"CaseFinished"' in line and json.loads(line)["outcome"] == "passed":
                    passed += 1
    return done.returncode, passed


if __name__ == "__main__":
    sys.exit(main())
