"""What the distributions hold."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUR_NAMES = {"collector_reference", "collector_harness"}


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_adds_two_import_names(distributions: tuple[Path, Path]) -> None:
    roots = {name.split("/")[0] for name in contents(distributions[0])}

    assert {root for root in roots if not root.endswith(".dist-info")} == OUR_NAMES


def test_both_packages_are_marked_as_typed(distributions: tuple[Path, Path]) -> None:
    assert {f"{name}/py.typed" for name in OUR_NAMES} <= set(contents(distributions[0]))


def test_the_wheel_holds_every_file_of_both_packages(distributions: tuple[Path, Path]) -> None:
    modules = {
        path.relative_to(root).as_posix()
        for root in (ROOT / "collector", ROOT / "harness")
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert modules - set(contents(distributions[0])) == set()


def test_the_wheel_ships_the_contract_and_the_conformance_suite(
    distributions: tuple[Path, Path],
) -> None:
    shipped = "collector_harness/shipped/"
    held = {
        name.removeprefix(shipped): content
        for name, content in contents(distributions[0]).items()
        if name.startswith(shipped)
    }
    expected = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for folder in ("protos/collector", "scenarios/conformance")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert held == expected
    assert any(name.endswith(".scenario.yaml") for name in held)


def test_a_wheel_made_from_the_source_distribution_is_the_same(
    distributions: tuple[Path, Path], tmp_path: Path
) -> None:
    wheel, source = distributions
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=unpacked,
        capture_output=True,
        check=True,
    )

    (again,) = (tmp_path / "dist").iterdir()
    assert contents(again) == contents(wheel)


def test_the_source_distribution_holds_what_its_tests_read(
    distributions: tuple[Path, Path],
) -> None:
    with tarfile.open(distributions[1]) as archive:
        held = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}

    assert {
        "Makefile",
        "LICENSE",
        "conftest.py",
        "protos/collector/common.proto",
        "tests/packaging/test_distributions.py",
    } <= held


def test_the_metadata_names_the_command_the_plugin_and_the_extras(
    distributions: tuple[Path, Path],
) -> None:
    held = contents(distributions[0])
    (entry_points,) = (held[name] for name in held if name.endswith("entry_points.txt"))
    (metadata,) = (held[name] for name in held if name.endswith("METADATA"))
    described = Parser().parsestr(metadata.decode())

    assert b"collector-harness = collector_harness.cli:main" in entry_points
    assert b"[pytest11]\ncollector-harness = collector_harness.pytest_plugin" in entry_points
    assert described["Name"] == "collector-harness"
    assert described["License-Expression"] == "MIT"
    assert described["Requires-Python"] == ">=3.11"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "xdist" in extras["optional-dependencies"]
    assert described.get_all("Provides-Extra") == sorted(extras["optional-dependencies"])
