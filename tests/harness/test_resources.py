"""What the package ships, and how it is handed out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from collector_harness import resources
from collector_harness.errors import EnvironmentLacks, InvalidInput

ROOT = Path(__file__).parents[2]
CONTRACT = [
    "collector/common.proto",
    "collector/dispatcher.proto",
    "collector/registry.proto",
]


def contents(folder: Path) -> dict[str, bytes]:
    """Returns each file below the folder, through links too, by its name there."""
    found = (
        Path(base, name) for base, _, names in os.walk(folder, followlinks=True) for name in names
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_the_shipped_contract_is_that_of_the_repository() -> None:
    assert contents(resources.protos_dir()) == {
        name: (ROOT / "protos" / name).read_bytes() for name in CONTRACT
    }


def test_the_shipped_suite_is_that_of_the_repository() -> None:
    suite = contents(resources.conformance_suite())

    assert suite == contents(ROOT / "scenarios" / "conformance")
    assert any(name.endswith(".scenario.yaml") for name in suite)


def test_the_descriptor_set_carries_the_true_names_and_its_imports() -> None:
    described = descriptor_pb2.FileDescriptorSet.FromString(resources.descriptor_set())

    packages = {file.name: file.package for file in described.file}
    assert {name: packages[name] for name in CONTRACT} == dict.fromkeys(CONTRACT, "collector")
    assert {imported for file in described.file for imported in file.dependency} <= set(packages)


def test_the_contract_is_written_below_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "contract"

    written = resources.write_protos(folder)

    assert [path.relative_to(folder).as_posix() for path in written] == [
        *CONTRACT,
        "collector.binpb",
    ]
    assert contents(folder) == {
        **contents(resources.protos_dir()),
        "collector.binpb": resources.descriptor_set(),
    }


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    resources.write_protos(tmp_path)
    (tmp_path / CONTRACT[1]).unlink()

    assert resources.write_protos(tmp_path) == (tmp_path / CONTRACT[1],)


def test_a_differing_file_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    mine = tmp_path / CONTRACT[1]
    mine.parent.mkdir()
    mine.write_text("mine")

    with pytest.raises(InvalidInput) as refused:
        resources.write_protos(tmp_path)

    assert contents(tmp_path) == {CONTRACT[1]: b"mine"}
    (problem,) = refused.value.problems
    assert problem.message == f"{mine} exists and differs from the contract"
    assert problem.hint is not None
    assert "--force" in problem.hint


def test_force_overwrites_a_differing_file(tmp_path: Path) -> None:
    mine = tmp_path / CONTRACT[1]
    mine.parent.mkdir()
    mine.write_text("mine")

    assert mine in resources.write_protos(tmp_path, force=True)
    assert contents(tmp_path)[CONTRACT[1]] == (ROOT / "protos" / CONTRACT[1]).read_bytes()


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    resources.write_protos(tmp_path, force=True)

    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EnvironmentLacks, match=r"cannot be written to .*file"):
        resources.write_protos(tmp_path / "file")
