"""The examples as they are after somebody followed their README, and the verdict on them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from collector_harness.conformance.known_failures import load_known_failures
from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.verdicts import Verdict, Verdicts
from collector_harness.conformance.verify import verify
from collector_harness.errors import ExitCode
from collector_harness.targets import parse_target

ROOT = Path(__file__).parents[2]

WHOLE = bool(os.environ.get("EXAMPLES_WHOLE"))
"""Whether everything is verified, as `make examples` does."""
LARGE = frozenset({"REG-011", "REG-012"})
"""What ordinary runs leave out: tens of thousands of registrations keep both cores busy for longer
than all other requirements together, and say much about the machine's memory."""


@pytest.fixture(scope="session")
def repository() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Copies an example's folder and runs a command there, once for all workers of the run.

    Skips where the command is not there, or cannot get what it needs.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base

    def prepare(example: str, *command: str) -> Path:
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        folder, told = shared / example, shared / f"{example}.told"
        with (shared / f"{example}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not told.exists():
                left_out = shutil.ignore_patterns("node_modules")
                shutil.copytree(ROOT / "examples" / example, folder, ignore=left_out)
                ended = subprocess.run(
                    command,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=300,
                    check=False,
                )
                told.write_text(ended.stderr[-2000:] if ended.returncode else "")
        if failure := told.read_text():
            pytest.skip(f"{' '.join(command)} did not succeed: {failure}")
        return folder

    return prepare


@pytest.fixture(scope="session")
def go_collector(prepared) -> Path:
    """The folder of the collector in Go, built."""
    return prepared("go-collector", "go", "build", "-o", "go-collector", ".")


@pytest.fixture(scope="session")
def node_collector(prepared) -> Path:
    """The folder of the collector in JavaScript, with what it needs."""
    return prepared(
        "node-collector", "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--silent"
    )


@pytest.fixture(scope="session")
def judge() -> Callable[[Path], Verdicts]:
    """Verifies the collector of a folder by its target file and known failures: everything where
    that is asked for, else all but what is large.
    """

    def run(folder: Path) -> Verdicts:
        every = catalogue()
        patterns = [each.id for each in every if not LARGE & every.with_prerequisites({each.id})]
        return asyncio.run(
            verify(
                parse_target(str(folder / "target.yaml")),
                patterns=() if WHOLE else patterns,
                known=load_known_failures(folder / "known-failures.yaml"),
            )
        )

    return run


@pytest.fixture(scope="session")
def not_passed() -> Callable[[Verdicts], dict[str, tuple[Verdict, str]]]:
    """Returns each requirement that was asked for and is not met, with its verdict and why."""

    def sort(verdicts: Verdicts) -> dict[str, tuple[Verdict, str]]:
        return {
            each.requirement.id: (each.verdict, each.reason)
            for each in verdicts.requirements
            if each.verdict not in (Verdict.PASS, Verdict.DESELECTED)
        }

    return sort


@pytest.fixture(scope="session")
def expect_verdict(judge, not_passed) -> Callable[..., None]:
    """Verifies the collector of a folder: it is accused of nothing but what it knows of itself.

    `cannot` is what it does not offer, which makes a requirement unsupported; at least so many
    requirements are met.
    """

    def expect(folder: Path, *, cannot: set[str], known: set[str], at_least: int) -> None:
        verdicts = judge(folder)
        accused = not_passed(verdicts)
        # What is told where it fails is what is wrong, and nothing else.
        unsupported = {key for key, (verdict, _) in accused.items() if verdict == "unsupported"}
        assert unsupported <= cannot, {key: accused[key] for key in unsupported - cannot}
        expected = {key for key, (verdict, _) in accused.items() if verdict == "expected-fail"}
        wrong = {key: accused[key] for key in accused.keys() - unsupported - expected}
        assert not wrong
        assert expected == known
        assert not verdicts.findings
        assert verdicts.totals[Verdict.PASS] >= at_least
        assert verdicts.exit_code is ExitCode.OK

    return expect
