"""A case of a scenario passes or fails as a test does, and explains itself."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest


def test_cases_pass_and_fail_beside_tests(project, scenarios) -> None:
    pytester = project(
        {
            "calls.scenario.yaml": scenarios["passing"],
            "fails.scenario.yaml": scenarios["failing"],
            "test_it.py": "def test_it(collector): pass",
        }
    )

    result = pytester.runpytest_subprocess()

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"passed": 3, "failed": 1}


def test_a_case_that_the_collector_cannot_show_is_skipped_with_the_reason(
    project, scenarios
) -> None:
    needs = r"\1version: 1\n\1needs: [own-sockets]\n"
    unmet = re.sub(r"( *)version: 1\n", needs, scenarios["failing"])
    pytester = project({"unmet.scenario.yaml": unmet})

    result = pytester.runpytest_subprocess("-rs", "--collector-jsonl", "events.jsonl")

    assert result.parseoutcomes() == {"skipped": 1}
    result.stdout.fnmatch_lines(["SKIPPED*the target does not have or declare own-sockets"])
    last = json.loads((pytester.path / "events.jsonl").read_text().splitlines()[-1])
    assert last["totals"] == {
        "scenarios": 1, "cases": 1, "passed": 0, "failed": 0, "unsupported": 1,
    }  # fmt: skip


def test_a_failure_shows_the_card_and_no_traceback(project, scenarios) -> None:
    pytester = project({"fails.scenario.yaml": scenarios["failing"]})

    result = pytester.runpytest_subprocess("--collector-seed", "5")

    result.stdout.fnmatch_lines(
        [
            "*_ scenario: nobody is there _*",
            "*--> fails.scenario.yaml:12:*",
            "*expect: {status: OK, output: {word: nobody}}*",
            "*mismatches:*",
            "*output.word*",
            "*- expected*nobody*",
            "*+ was*",
            "*answer:*",
            "*requirements:*",
            "*DSP-004 MUST *",
            "*reproduce:*",
            "*collector-harness run 'fails.scenario.yaml::nobody is there' --seed 5*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*scenario_items.py*")


def test_the_same_seed_gives_the_same_values_in_every_worker(project, scenarios) -> None:
    pytester = project({"fails.scenario.yaml": scenarios["failing"]})

    def word(*arguments: str) -> str:
        shown = pytester.runpytest_subprocess(*arguments).stdout.str()
        found = re.search(r"\+ was +(.*)", shown)
        assert found is not None, shown
        return found[1]

    one = word("--collector-seed", "5")

    assert one == word("--collector-seed", "5", "-n", "1")
    assert one != word("--collector-seed", "6")


def test_a_case_is_reported_with_its_file_line_and_requirements(project, scenarios) -> None:
    pytester = project({"calls.scenario.yaml": scenarios["passing"]})

    pytester.runpytest_subprocess("--junit-xml=report.xml", "-o", "junit_family=xunit1")

    cases = {
        case.attrib["name"]: case
        for case in ET.parse(pytester.path / "report.xml").getroot().iter("testcase")
    }
    assert {name: (case.attrib["file"], case.attrib["line"]) for name, case in cases.items()} == {
        "calls are routed[known]": ("calls.scenario.yaml", "11"),
        "calls are routed[unknown]": ("calls.scenario.yaml", "12"),
    }
    for case in cases.values():
        found = case.find("properties/property")
        assert found is not None
        assert found.attrib == {"name": "requirement", "value": "DSP-004"}


def test_a_tag_that_pytest_has_a_meaning_for_does_not_skip_the_case(project, scenarios) -> None:
    assert "skip" in scenarios["passing"]
    pytester = project({"calls.scenario.yaml": scenarios["passing"]})

    assert pytester.runpytest_subprocess().parseoutcomes() == {"passed": 2}


def test_what_has_no_engine_yet_is_told_at_its_line(project) -> None:
    pytester = project(
        {
            "later.scenario.yaml": """
                version: 1
                scenario: it uses what has no engine yet
                topology: {nodes: {west: {namespaces: [shop]}}}
                steps:
                  - sql: select 1
                    via: west
            """
        }
    )

    result = pytester.runpytest_subprocess()

    assert result.ret != 0
    result.stdout.fnmatch_lines(["*later.scenario.yaml:6:*"])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    ("option", "passed"), [("--last-failed", 0), ("--stepwise", 0), ("--failed-first", 1)]
)
def test_a_case_that_failed_is_known_again(project, scenarios, option: str, passed: int) -> None:
    # The last case expects what is not so.
    wrong = scenarios["passing"].replace("Nope, status: NOT_FOUND", "Nope, status: OK")
    pytester = project({"calls.scenario.yaml": wrong})
    assert pytester.runpytest_subprocess("--stepwise").parseoutcomes()["failed"] == 1

    again = pytester.runpytest_subprocess("-v", option)

    outcomes = again.parseoutcomes()
    assert (outcomes["failed"], outcomes.get("passed", 0)) == (1, passed)
    first = next(line for line in again.outlines if "::calls are routed" in line)
    assert "calls are routed[unknown]" in first
