"""Options and settings are read once, and a bad one is told before anything runs."""

from __future__ import annotations

import re

import pytest

NOTHING = {"test_it.py": "def test_it(): pass"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--collector-target", "refrence"],
            ["*--collector-target: 'refrence' is not a target*", "*did you mean 'reference'?*"],
        ),
        (["--collector-target", "attach:nowhere"], ["*--collector-target: *HOST:PORT*"]),
        (["--collector-seed", "-3"], ["*--collector-seed: '-3' is not a seed*", "*from 0 to*"]),
        (["--collector-databases", "mysql"], ["*--collector-databases: *files of SQLite*"]),
        (["--collector-seed", "many"], ["*--collector-seed: 'many' is not a seed*"]),
    ],
)
def test_a_bad_option_is_a_usage_error(project, arguments: list[str], told: list[str]) -> None:
    result = project(NOTHING).runpytest_inprocess(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    # What is told may be one line or more.
    said = result.stderr.str()
    for pattern in told:
        assert re.search(pattern.strip("*").replace("*", ".*").replace("?", r"\?"), said, re.DOTALL)
    assert "Traceback" not in said


def test_a_bad_setting_is_named_as_the_file_names_it(project) -> None:
    pytester = project({**NOTHING, "pytest.ini": "[pytest]\ncollector_target = exce:./run\n"})

    result = pytester.runpytest_inprocess()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*collector_target: 'exce:./run' is not a target*", "*'exec'*"])


def test_the_command_line_wins_over_the_file(project) -> None:
    settings = "[pytest]\ncollector_target = exce:./run\ncollector_seed = 7\n"
    pytester = project({**NOTHING, "pytest.ini": settings})

    result = pytester.runpytest_inprocess(
        "--collector-target", "reference", "--collector-seed", "8"
    )

    result.stdout.fnmatch_lines(["collector-harness: target reference, seed 8"])
    assert result.parseoutcomes() == {"passed": 1}


def test_a_fresh_seed_is_chosen_and_shown(project) -> None:
    pytester = project(NOTHING)
    shown = [
        re.search(r"seed (\d+)", pytester.runpytest_inprocess().stdout.str()) for _ in range(2)
    ]

    assert shown[0] is not None
    assert shown[1] is not None
    assert shown[0][1] != shown[1][1]


def test_the_help_tells_the_options_and_the_settings(project) -> None:
    result = project({}).runpytest_inprocess("--help")

    result.stdout.fnmatch_lines_random(
        [
            "*--collector-target=TARGET*",
            "*--collector-seed=N*",
            "*collector_target (string)*",
            "*collector_seed (string)*",
            "*collector_scenarios (bool)*",
        ]
    )


def test_the_marker_is_declared(project) -> None:
    result = project({}).runpytest_inprocess("--markers")

    result.stdout.fnmatch_lines(["@pytest.mark.topology(definition): *"])
