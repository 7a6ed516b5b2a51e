"""Runs every mutant against the whole suite: `python tests/mutants/matrix.py`.

Each must be caught by its own requirement and accused of no other that it does not touch. What
was found is kept in `matrix.json`, mutant by mutant, so that a run that was ended goes on where it
was, and one after a change of the suite judges only the requirements whose cases have changed.
`docs/mutants.md` is made of it by `scripts/generate_mutants_page.py`.
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
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from reading import read_mutants

HERE = Path(__file__).parent
FOUND = HERE / "matrix.json"
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
    parser.add_argument("--one", metavar="MUTANT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        # The names are those of requirements here.
        json.dump(_judged(options.one, options.names), sys.stdout)
        return 0
    return _run(options.names, jobs=options.jobs, again=options.again)


def rows() -> dict[str, dict[str, Any]]:
    """Returns what was found of each mutant so far, by its name."""
    return dict(_kept()["mutants"])


def accused(row: dict[str, Any]) -> list[str]:
    """Returns the ids of which a mutant was found guilty, and which it does not touch."""
    return sorted(set(row["broken"]) - {row["breaks"], *row["touches"]})


def is_right(row: dict[str, Any]) -> bool:
    """Tells whether a mutant was caught, and accused of nothing."""
    return row["breaks"] in row["broken"] and not accused(row)


def _run(names: list[str], *, jobs: int, again: bool) -> int:
    mutants = read_mutants()
    kept, suite = _kept(), _suite()
    suites, found = kept["suites"], {n: row for n, row in kept["mutants"].items() if n in mutants}
    version = _digest(json.dumps(suite).encode())
    suites[version] = suite
    todo: dict[str, list[str]] = {}
    for name in names or mutants:
        row = None if again else found.get(name)
        if changed := _to_judge(name, row, suites, suite):
            todo[name] = changed
        elif row is not None:
            row["suite"] = version
    print(f"{len(todo)} of {len(mutants)} mutants", flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        judged = pool.map(_one, todo, todo.values())
        for number, (name, row) in enumerate(zip(todo, judged, strict=True), 1):
            found[name] = _joined(found.get(name), row, set(suite)) | {"suite": version}
            _keep(suites, {each: found[each] for each in mutants if each in found})
            end = "caught" if is_right(found[name]) else f"NOT RIGHT: {_said(found[name])}"
            print(f"{number}/{len(todo)} {name} ({row['breaks']}): {end}", flush=True)
    _keep(suites, {each: found[each] for each in mutants if each in found})
    wrong = [name for name in names or mutants if name not in found or not is_right(found[name])]
    print(f"{len(wrong)} not right" + "".join(f"\n  {name}" for name in wrong))
    return 1 if wrong else 0


def _said(row: dict[str, Any]) -> str:
    return f"broken {row['broken']}, accused of {accused(row)}"


def _kept() -> dict[str, Any]:
    """Returns the suites that something was judged by (the digest of each requirement's cases),
    and what was found of each mutant, which names the suite.
    """
    if not FOUND.exists():
        return {"suites": {}, "mutants": {}}
    kept: dict[str, Any] = json.loads(FOUND.read_text())
    return kept


def _keep(suites: dict[str, Any], found: dict[str, Any]) -> None:
    used = {row["suite"] for row in found.values()}
    kept = {"suites": {key: suites[key] for key in suites if key in used}, "mutants": found}
    # A line for each, so that a change shows which mutants it is about.
    parts = (
        f'"{part}": {{\n'
        + ",\n".join(f" {json.dumps(key)}: {json.dumps(kept[part][key])}" for key in kept[part])
        + "\n}"
        for part in kept
    )
    fresh = FOUND.with_suffix(".new")
    fresh.write_text("{" + ",\n".join(parts) + "}\n")
    fresh.replace(FOUND)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _suite() -> dict[str, str]:
    """Returns the digest of the files that judge each requirement."""
    from collector_harness.conformance.requirements import catalogue
    from collector_harness.conformance.suite import load_suite

    cases = load_suite(catalogue=catalogue()).cases
    return {
        key: _digest(*(Path(file).read_bytes() for file in sorted({c.source for c in cases[key]})))
        for key in sorted(cases)
    }


def _fingerprint(name: str) -> str:
    """Returns what changes with a mutant, and with neither the suite nor the reference."""
    mutant = read_mutants()[name]
    modules = {each.partition(":")[0] for each in mutant["replaces"].values()}
    files = [HERE / f"{module}.py" for module in sorted(modules)]
    return _digest(
        json.dumps(mutant, sort_keys=True).encode(), *(file.read_bytes() for file in files)
    )


def _to_judge(
    name: str, row: dict[str, Any] | None, suites: dict[str, Any], suite: dict[str, str]
) -> list[str]:
    """Returns the requirements that the mutant is to be judged by, given what is known of it."""
    asked = _asked(read_mutants()[name]["breaks"], suite)
    if row is None or row["fingerprint"] != _fingerprint(name):
        return sorted(asked)
    before = suites[row["suite"]]
    changed = {key for key in asked if before.get(key) != suite[key]}
    if changed & {*row["broken"], *row["blocked"]}:
        # Another verdict on one may set free what was blocked by it.
        changed |= asked & set(row["blocked"])
    return sorted(changed)


_KINDS = ("broken", "blocked", "unsupported", "passed")


def _joined(before: dict[str, Any] | None, row: dict[str, Any], suite: set[str]) -> dict[str, Any]:
    """Returns what is known of a mutant, by what was known and by what was judged now.

    What passed is only counted, as it is nearly everything.
    """
    joined = dict(row)
    if before is not None and before["fingerprint"] == row["fingerprint"]:
        judged = {each for key in _KINDS for each in row[key]}
        for key in ("broken", "blocked", "unsupported", "once"):
            joined[key] = sorted((set(before[key]) & suite - judged) | set(row[key]))
    others = {each for key in ("broken", "blocked", "unsupported") for each in joined[key]}
    return joined | {"passed": len(_asked(row["breaks"], suite) - others)}


def _asked(breaks: str, suite: Iterable[str]) -> set[str]:
    """Returns the requirements that a mutant which breaks this one is judged by."""
    return {key for key in suite if key not in _LONG or key == breaks}


def _one(name: str, requirements: list[str]) -> dict[str, Any]:
    """Judges a mutant in a process of its own."""
    ended = subprocess.run(
        [sys.executable, __file__, "--one", name, *requirements],
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


def _judged(name: str, patterns: list[str]) -> dict[str, Any]:
    from beside import can_stand_beside

    from collector_harness.conformance.haste import HASTY_LIMITS
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
    verdicts = asyncio.run(verify(target, patterns=patterns, seed=1))
    found = _found(verdicts)
    touched = {mutant["breaks"], *mutant.get("touches", {})}
    once: set[str] = set()
    for _ in range(_SECOND_THOUGHTS):
        doubtful = found["broken"] - touched
        if not doubtful:
            break
        # Nobody is accused of what a busy machine has done, and what it blocked is judged.
        asked = doubtful | found["blocked"]
        verdicts = asyncio.run(verify(target, patterns=sorted(asked), jobs=1, seed=2))
        second = _found(verdicts)
        found = {key: (found[key] - asked) | (second[key] & asked) for key in found}
        once |= doubtful - found["broken"]
    accusations = _told(verdicts, found["broken"] - touched)
    if mutant["breaks"] in patterns and mutant["breaks"] not in found["broken"]:
        # Perhaps a prerequisite has failed by a busy machine, and blocked it.
        verdicts = asyncio.run(verify(target, patterns=[mutant["breaks"]], jobs=1, seed=2))
        found["broken"] |= _found(verdicts)["broken"] & {mutant["breaks"]}
    return {
        "breaks": mutant["breaks"],
        "does": mutant["does"],
        "touches": sorted(mutant.get("touches", {})),
        **{key: sorted(each) for key, each in found.items()},
        "once": sorted(once),
        "process": not beside,
        "fingerprint": _fingerprint(name),
        **({"accusations": accusations} if accusations else {}),
    }


def _told(verdicts: Any, ids: set[str]) -> dict[str, str]:
    """Returns by which case, and why, each of these was found broken."""
    return {
        key: f"{case.case}: {case.failure.step}: {case.failure.message}"[:500]
        for key in sorted(ids)
        for case in verdicts[key].cases
        if case.failure is not None
    }


def _found(verdicts: Any) -> dict[str, set[str]]:
    """Returns the ids that were judged, by what became of them."""
    from collector_harness.conformance.verdicts import Verdict

    kinds = {
        "broken": {Verdict.FAIL, Verdict.TARGET_CRASHED, Verdict.HARNESS_ERROR},
        "blocked": {Verdict.BLOCKED},
        "unsupported": {Verdict.UNSUPPORTED},
        "passed": {Verdict.PASS},
    }
    return {
        key: {each.requirement.id for each in verdicts.requirements if each.verdict in kind}
        for key, kind in kinds.items()
    }


if __name__ == "__main__":
    sys.exit(main())
