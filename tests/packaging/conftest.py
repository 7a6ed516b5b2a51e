"""A wheel of this repository, and an environment of its own that it is installed in."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Installation:
    """An environment that holds the wheel, what it depends on, and nothing else."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def script(self, name: str) -> Path:
        return self.folder / "bin" / name


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder by its name, once in a run however many workers it has."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                folder.mkdir(exist_ok=True)
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def distributions(once) -> tuple[Path, Path]:
    """The wheel and the source distribution."""
    folder = once(
        "dist", lambda folder: run(sys.executable, "-m", "hatchling", "build", "-d", folder)
    )
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


@pytest.fixture(scope="session")
def installation(once, distributions: tuple[Path, Path]) -> Installation:
    """The wheel, installed into an empty environment by what it says that it depends on.

    The versions are those of the environment that runs the tests, so that the latest and the
    oldest dependencies are each tried in their turn.
    """
    wheel, _ = distributions

    def install(folder: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        versions = folder / "versions.txt"
        versions.write_text(
            "".join(
                f"{found.metadata['Name']}=={found.version}\n"
                for found in metadata.distributions()
                if found.metadata["Name"] not in {"collector-harness", "pip", "setuptools"}
            )
        )
        run(
            *(sys.executable, "-m", "pip", "--python", folder / "bin" / "python"),
            *("install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"),
            *("--constraint", versions, wheel),
        )

    return Installation(folder=once("environment", install))


def run(*command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
