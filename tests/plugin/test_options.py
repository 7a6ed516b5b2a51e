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


TARGET_FILE = {
    "target.yaml": """
        version: 1
        launch: {exec: "{executable} -m collector_reference"}
    """,
    "tests/test_it.py": """
        def test_it(tmp_path, monkeypatch, topology_factory):
            monkeypatch.chdir(tmp_path)
            with topology_factory("nodes: {west: {}}") as mesh:
                assert mesh["west"].collector is None
    """,
}
"""A target file, and a test that has gone elsewhere before it first needs the target."""


@pytest.mark.parametrize("folder", [".", "tests"])
def test_a_target_file_of_the_settings_is_found_from_every_folder(
    project, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    settings = {"pytest.ini": "[pytest]\ncollector_target = target.yaml\n"}
    pytester = project({**TARGET_FILE, **settings})
    monkeypatch.chdir(pytester.path / folder)

    assert pytester.runpytest_subprocess().parseoutcomes() == {"passed": 1}


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "in a worker"])
def test_a_target_file_of_the_command_line_is_found_where_pytest_is_started(
    project, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    pytester = project(TARGET_FILE)
    monkeypatch.chdir(pytester.path / "tests")

    result = pytester.runpytest_subprocess("--collector-target", "../target.yaml", *workers)

    assert result.parseoutcomes() == {"passed": 1}


def test_nodes_with_handlers_of_their_own_stay_reference_collectors(project) -> None:
    pytester = project(
        {
            "test_it.py": """
                import pytest

                class Shop:
                    def Open(self, request, context):
                        return "open"

                @pytest.mark.topology(
                    nodes={"west": {"probe": ["shop"]}, "east": {"serves": {"shop": Shop}}},
                    links=["west -> east"],
                )
                def test_it(topology):
                    assert topology["west"].collector is None
                    assert topology["east"].collector is not None
                    assert topology["west"].serve("shop", "conformance.Probe", "WhoAmI").output
                    assert topology["east"].serve("shop", "Shop", "Open").output == "open"
            """
        }
    )

    result = pytester.runpytest_subprocess("--collector-target", "process:reference")

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
