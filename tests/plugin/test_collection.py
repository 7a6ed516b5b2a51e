"""Scenario files are collected whole, the same way each time, and without opening anything."""

from __future__ import annotations

import pytest

KNOWN = "calls.scenario.yaml::calls are routed[[]known[]]"
UNKNOWN = "calls.scenario.yaml::calls are routed[[]unknown[]]"


def names(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def test_a_file_has_an_item_per_case(project, scenarios) -> None:
    pytester = project(
        {"calls.scenario.yaml": scenarios["passing"], "one.scenario.yaml": scenarios["failing"]}
    )

    result = pytester.runpytest_inprocess("--collect-only", "-q")

    assert names(result) == [
        "calls.scenario.yaml::calls are routed[known]",
        "calls.scenario.yaml::calls are routed[unknown]",
        "one.scenario.yaml::nobody is there",
    ]


def test_the_order_does_not_depend_on_the_hash_seed(
    project, scenarios, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester = project(
        {f"{name}/calls.scenario.yaml": scenarios["passing"] for name in ("b", "a", "c")}
    )
    collected = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        collected.append(names(pytester.runpytest_subprocess("--collect-only", "-q")))

    assert collected[0] == collected[1]
    assert len(collected[0]) == 6


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["calls.scenario.yaml::calls are routed[unknown]"], 1),
        (["calls.scenario.yaml::calls are routed"], 2),
        (["-k", "routing and known and not unknown"], 1),
        (["-k", "DSP-004"], 2),
        (["-m", "routing"], 2),
        (["-m", "not routing"], 0),
    ],
)
def test_cases_are_selected_by_name_tag_and_requirement(
    project, scenarios, arguments: list[str], count: int
) -> None:
    pytester = project({"calls.scenario.yaml": scenarios["passing"]})

    result = pytester.runpytest_inprocess("--collect-only", "-q", *arguments)

    assert len(names(result)) == count, result.stdout.str()


def test_a_file_with_problems_is_a_collection_error_that_shows_each_at_its_line(
    project, scenarios
) -> None:
    pytester = project(
        {
            "calls.scenario.yaml": scenarios["passing"],
            "wrong.scenario.yaml": scenarios["invalid"],
        }
    )

    result = pytester.runpytest_inprocess()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        [
            "*ERROR collecting wrong.scenario.yaml*",
            "wrong.scenario.yaml:6:12: *namespacs*",
            "*west: {namespacs: [[]shop[]]}*",
            "           *^",
            "*did you mean 'namespaces'?*",
            "wrong.scenario.yaml:8:5: *dispach*",
            "*did you mean 'dispatch'?*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*.py:*")


def test_other_yaml_files_are_left_alone(project) -> None:
    pytester = project({"notes.yaml": "- {", "test_it.py": "def test_it(): pass"})

    assert pytester.runpytest_inprocess().parseoutcomes() == {"passed": 1}


def test_the_setting_collector_scenarios_switches_the_collection_off(project, scenarios) -> None:
    pytester = project(
        {
            "pytest.ini": "[pytest]\ncollector_scenarios = false\n",
            "wrong.scenario.yaml": scenarios["invalid"],
            "test_it.py": "def test_it(): pass",
        }
    )

    assert pytester.runpytest_inprocess().parseoutcomes() == {"passed": 1}


def test_collecting_opens_no_port_and_starts_no_thread_or_process(project, scenarios) -> None:
    pytester = project(
        {
            "calls.scenario.yaml": scenarios["passing"],
            "conftest.py": """
                import atexit, threading
                import psutil

                def pytest_collection_finish(session):
                    this = psutil.Process()
                    print(
                        "opened:", this.net_connections(), this.children(),
                        [thread for thread in threading.enumerate()][1:],
                    )
            """,
        }
    )

    result = pytester.runpytest_subprocess("--collect-only", "-s")

    result.stdout.fnmatch_lines(["*opened: [[][]] [[][]] [[][]]"])
