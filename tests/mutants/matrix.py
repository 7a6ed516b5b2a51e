"""Runs every mutant against the whole suite: `python tests/mutants/matrix.py`.

Each must be caught by its own requirement and accused of no other that it does not touch. What
was found is kept in `matrix.json`, mutant by mutant, so that a run that was ended goes on where it
was; `docs/mutants.md` is made of it by `scripts/generate_mutants_page.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from reading import read_mutants

HERE = Path(__file__).parent
FOUND = HERE / "matrix.json"
_SUITE = HERE.parents[1] / "scenarios/conformance"
_LONG = {"REG-011", "REG-012"}
"""Run against their own mutants only: ten and fifty thousand registrations each."""
_SECOND_THOUGHTS = 2
"""How often a breach that nobody expects is looked for again, by itself, before it counts."""


def main() -> int:
    """Returns 0 where every mutant is caught and none accused, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="MUTANT", help="only these; all without")
    parser.add_argument("-j", type=int, default=2, dest="jobs", help="how many at a time")
    parser.add_argument("--again", action="store_true", help="also those that nothing changed for")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        json.dump(_judged(options.names[0]), sys.stdout)
        return 0
    return _run(options.names, jobs=options.jobs, again=options.again)


def fingerprint(name: str) -> str:
    """Returns what changes with a mutant and with the suite, and not with the reference."""
    digest = hashlib.sha256(json.dumps(read_mutants()[name], sort_keys=True).encode())
    modules = {each.partition(":")[0] for each in read_mutants()[name]["replaces"].values()}
    files = [HERE / f"{module}.py" for module in sorted(modules)]
    for file in [*files, *sorted(_SUITE.rglob("*.scenario.yaml"))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def accused(row: dict[str, Any]) -> list[str]:
    """Returns the ids of which a mutant was found guilty, and which it does not touch."""
    return sorted(set(row["broken"]) - {row["breaks"], *row["touches"]})


def is_right(row: dict[str, Any]) -> bool:
    """Tells whether a mutant was caught, and accused of nothing."""
    return row["breaks"] in row["broken"] and not accused(row)


def _run(names: list[str], *, jobs: int, again: bool) -> int:
    mutants = read_mutants()
    found: dict[str, Any] = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    found = {name: row for name, row in found.items() if name in mutants}
    todo = [
        name
        for name in names or mutants
        if again or found.get(name, {}).get("fingerprint") != fingerprint(name)
    ]
    print(f"{len(todo)} of {len(mutants)} mutants", flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        for number, (name, row) in enumerate(zip(todo, pool.map(_one, todo), strict=True), 1):
            found[name] = row
            _keep({each: found[each] for each in mutants if each in found})
            end = "caught" if is_right(row) else f"NOT RIGHT: {_said(row)}"
            print(f"{number}/{len(todo)} {name} ({row['breaks']}): {end}", flush=True)
    wrong = [name for name in names or mutants if name not in found or not is_right(found[name])]
    print(f"{len(wrong)} not right" + "".join(f"\n  {name}" for name in wrong))
    return 1 if wrong else 0


def _said(row: dict[str, Any]) -> str:
    return f"broken {row['broken']}, accused of {accused(row)}"


def _keep(found: dict[str, Any]) -> None:
    fresh = FOUND.with_suffix(".new")
    fresh.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    fresh.replace(FOUND)


def _one(name: str) -> dict[str, Any]:
    """Judges a mutant in a process of its own."""
    ended = subprocess.run(
        [sys.executable, __file__, "--one", name],
        env={
            **os.environ,
            "MUTANT": name,
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(f"{name}: {ended.stderr[-2000:]}")
    row: dict[str, Any] = json.loads(ended.stdout)
    return row


def _judged(name: str) -> dict[str, Any]:
    from beside import can_stand_beside

    from collector_harness.conformance.haste import HASTY_LIMITS
    from collector_harness.conformance.requirements import catalogue
    from collector_harness.conformance.suite import load_suite
    from collector_harness.conformance.verdicts import Verdict
    from collector_harness.conformance.verify import verify
    from collector_harness.declared import Declaration
    from collector_harness.targets import REFERENCE_DECLARES, parse_target

    mutant = read_mutants()[name]
    text = f"exec:{{executable}} {shlex.quote(str(HERE / 'run.py'))} {name}"
    beside = can_stand_beside(name)
    target = parse_target("python:beside:make" if beside else text)
    # In process it is the reference in all but what it breaks.
    capabilities = REFERENCE_DECLARES.capabilities if beside else mutant.get("capabilities")
    target = replace(
        target,
        dialect=mutant.get("dialect", "native"),
        declares=Declaration(
            limits=HASTY_LIMITS,
            capabilities=None if capabilities is None else frozenset(capabilities),
        ),
    )
    every = catalogue()
    covered = load_suite(catalogue=every).covered
    patterns = sorted(covered - (_LONG - {mutant["breaks"]}))
    verdicts = asyncio.run(verify(target, patterns=patterns, seed=1))
    by: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    for each in verdicts.requirements:
        by[each.verdict].append(each.requirement.id)
    broken = set(by[Verdict.FAIL] + by[Verdict.TARGET_CRASHED] + by[Verdict.HARNESS_ERROR])
    touched = {mutant["breaks"], *mutant.get("touches", {})}
    once: set[str] = set()
    for _ in range(_SECOND_THOUGHTS):
        doubtful = sorted(broken - touched)
        if not doubtful:
            break
        # Nobody is accused of what a busy machine has done.
        second = asyncio.run(verify(target, patterns=doubtful, jobs=1, seed=2))
        passed = {
            key
            for key in doubtful
            if second[key].verdict in (Verdict.PASS, Verdict.BLOCKED, Verdict.UNSUPPORTED)
        }
        once |= passed
        broken -= passed
    if mutant["breaks"] not in broken:
        # Perhaps a prerequisite has failed by a busy machine, and blocked it.
        second = asyncio.run(verify(target, patterns=[mutant["breaks"]], jobs=1, seed=2))
        if second[mutant["breaks"]].verdict in (Verdict.FAIL, Verdict.TARGET_CRASHED):
            broken.add(mutant["breaks"])
            verdicts = second
    return {
        "breaks": mutant["breaks"],
        "does": mutant["does"],
        "touches": sorted(mutant.get("touches", {})),
        "broken": sorted(broken),
        "once": sorted(once),
        "blocked": sorted(by[Verdict.BLOCKED]),
        "unsupported": sorted(by[Verdict.UNSUPPORTED]),
        "passed": len(by[Verdict.PASS]),
        "process": not beside,
        "fingerprint": fingerprint(name),
        "why": {
            key: f"{case.case}: {case.failure.step}: {case.failure.message} "
            f"{case.failure.mismatches[:1]}"[:500]
            for key in sorted(broken)
            for case in verdicts[key].cases
            if case.failure is not None
        },
    }


if __name__ == "__main__":
    sys.exit(main())
