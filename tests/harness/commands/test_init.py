"""`collector-harness init` writes a whole skeleton, and never over what is there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from collector_harness.conformance.known_failures import load_known_failures
from collector_harness.documents import load
from collector_harness.scenario.loading import load_scenario
from collector_harness.target_file import load_target


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_it_names_what_it_wrote_and_what_to_do_next(run, tmp_path: Path) -> None:
    done = run("init", "shop")

    assert done.returncode == 0, done.stderr
    wrote, _, steps = done.stdout.partition("\nnext:\n")
    assert {line.removeprefix("wrote shop/") for line in wrote.splitlines()} == files_in(
        tmp_path / "shop"
    )
    assert steps.startswith("  cd shop\n  python -m pytest")


def test_a_schema_beside_the_scenario_accepts_it(run, tmp_path: Path) -> None:
    run("init", "shop")
    scenario = tmp_path / "shop" / "tests" / "orders.scenario.yaml"

    first = scenario.read_text().splitlines()[0]
    schema = scenario.parent / first.rpartition("=")[2]

    jsonschema.validate(load(scenario.read_text()).value, json.loads(schema.read_text()))
    assert len(load_scenario(scenario).cases) == 2


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("exec:./my-collector --quiet 'a b'", "exec"),
        ("python:my.collectors:make", "python"),
        ("attach:127.0.0.1:50051", "attach"),
    ],
)
def test_a_target_becomes_a_file_that_stands_for_the_same(
    run, tmp_path: Path, target: str, told: str
) -> None:
    done = run("init", "--target", target, "mine")

    assert done.returncode == 0, done.stderr
    file = tmp_path / "mine" / "target.yaml"
    made = load_target(file)
    if told == "exec":
        assert made.command == ("./my-collector", "--quiet", "a b")
    else:
        assert str(made) == target
    assert load_known_failures(file.parent / "known-failures.yaml").file.failures == {}
    load_scenario(file.parent / "tests" / "routing.scenario.yaml")


def test_a_collector_that_is_there_is_found_from_the_skeleton(run, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for name in ("collector", "src/main.js"):
        (tmp_path / name).touch()

    run("init", "--target", "exec:./collector --x=./src src/main.js other.js", "made/here")

    made = load_target(tmp_path / "made/here/target.yaml")
    beside = f"{tmp_path}/made/here/../.."
    assert made.command == (
        *(f"{beside}/collector", "--x=./src", f"{beside}/src/main.js", "other.js"),
    )


def test_the_workflow_in_the_documentation_is_the_one_that_it_writes(run, tmp_path: Path) -> None:
    run("init", "--target", "exec:./my-collector", "mine")
    written = (tmp_path / "mine/.github/workflows/collectors.yml").read_text()
    page = Path(__file__).parents[3] / "docs/verify-your-collector.md"
    shown = page.read_text().partition("```yaml workflow\n")[2].partition("```")[0]
    assert shown == written


def test_files_that_are_there_are_left_alone_and_nothing_else_is_written(
    run, tmp_path: Path
) -> None:
    settings = tmp_path / "pyproject.toml"
    settings.write_text("mine\n")

    done = run("init")

    assert done.returncode == 2
    assert "error: 'pyproject.toml' is there already" in done.stderr
    assert "overwrite with --force" in done.stderr
    assert files_in(tmp_path) == {"pyproject.toml"}
    assert settings.read_text() == "mine\n"


def test_force_overwrites_a_link_and_not_what_it_leads_to(run, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine\n")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "pyproject.toml").symlink_to(elsewhere)

    assert run("init", "shop").returncode == 2
    done = run("init", "--force", "shop")

    assert done.returncode == 0, done.stderr
    assert elsewhere.read_text() == "mine\n"
    assert not (tmp_path / "shop" / "pyproject.toml").is_symlink()


@pytest.mark.parametrize("target", ["reference", "nonsense:x"])
def test_a_target_that_needs_no_file_or_is_none_is_refused(run, tmp_path: Path, target) -> None:
    done = run("init", "--target", target)

    assert done.returncode == 2
    assert "hint: " in done.stderr
    assert files_in(tmp_path) == set()


def test_a_folder_that_cannot_be_made_is_told_as_such(run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = run("init", os.fspath(Path("file") / "shop"))

    assert done.returncode == 3
    assert "cannot be written" in done.stderr
