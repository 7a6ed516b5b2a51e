"""PATHS of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector_harness.commands.discovery import Found, discover
from collector_harness.commands.ending import NothingToRun
from collector_harness.errors import ExitCode, InvalidInput


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "suite/b.scenario.yaml",
        "suite/a.scenario.yaml",
        "suite/deep/c.scenario.yaml",
        "suite/.hidden/d.scenario.yaml",
        "suite/node_modules/e.scenario.yaml",
        "suite/topology.yaml",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*paths: str) -> list[str]:
    return [str(each.path) for each in discover(paths)]


@pytest.mark.usefixtures("suite")
def test_a_folder_is_searched_through_in_sorted_order_without_hidden_folders() -> None:
    assert found("suite") == [
        "suite/a.scenario.yaml",
        "suite/b.scenario.yaml",
        "suite/deep/c.scenario.yaml",
    ]


@pytest.mark.usefixtures("suite")
def test_a_file_that_is_named_twice_is_found_once_where_it_was_named_first() -> None:
    assert found("suite/b.scenario.yaml", "./suite", "suite/deep/c.scenario.yaml") == [
        "suite/b.scenario.yaml",
        "suite/a.scenario.yaml",
        "suite/deep/c.scenario.yaml",
    ]


@pytest.mark.usefixtures("suite")
def test_single_cases_are_addressed_behind_the_file() -> None:
    first, second = "suite/a.scenario.yaml::one", "suite/a.scenario.yaml::two[x::y]"
    assert discover([first, second]) == (
        Found(path=Path("suite/a.scenario.yaml"), only=("one", "two[x::y]")),
    )
    assert discover([first, "suite/a.scenario.yaml"]) == (
        Found(path=Path("suite/a.scenario.yaml")),
    )


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("suit", "there is no file or folder 'suit'", "did you mean 'suite'?"),
        ("suite/a.scenaro.yaml", "there is no file", "did you mean 'suite/a.scenario.yaml'?"),
        ("suite/topology.yaml", "is not a scenario file", "ends in .scenario.yaml"),
        ("nowhere/a.scenario.yaml", "there is no file", "there is no folder 'nowhere' either"),
        ("suite/a.scenario.yam::x", "there is no file", None),
    ],
)
def test_a_path_that_leads_nowhere_is_told_with_a_suggestion(
    path: str, message: str, hint: str | None
) -> None:
    with pytest.raises(InvalidInput) as caught:
        discover(["suite", path])
    (problem,) = caught.value.problems
    assert message in problem.message
    if hint:
        assert hint in (problem.hint or "")


@pytest.mark.usefixtures("suite")
def test_every_path_that_leads_nowhere_is_told() -> None:
    with pytest.raises(InvalidInput) as caught:
        discover(["x", "suite", "y"])
    assert len(caught.value.problems) == 2


@pytest.mark.usefixtures("suite")
def test_a_folder_without_scenarios_is_not_a_success() -> None:
    with pytest.raises(NothingToRun) as caught:
        discover(["suite", "empty"])
    assert "'empty'" in str(caught.value)
    assert caught.value.exit_code is ExitCode.NOTHING_RAN
