"""The suite: each file stands for one requirement, cites it, and can be run from outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector_harness.conformance.lib.checks import library_cases
from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.suite import load_suite
from collector_harness.errors import InternalFault, InvalidInput
from collector_harness.scenario.loading import load_scenario
from collector_harness.topology.values import REFERENCE

SUITE = Path(__file__).parents[3] / "scenarios" / "conformance"
FILES = sorted(SUITE.rglob("*.scenario.yaml"))
BLIND = ("observe", "measure")
"""Steps that look into a process: only into one of the harness's own."""

by_file = pytest.mark.parametrize("file", FILES, ids=lambda path: path.name.split(".")[0])


def id_of(file: Path) -> str:
    return "-".join(file.name.split(".")[0].split("-")[:2])


def scenario_of(key: str) -> str:
    return f"""
version: 1
scenario: something about {key}
requirements: [{key}]
topology: {{nodes: {{hub: {{namespaces: [shop]}}}}}}
steps: [{{list: shop}}]
"""


@by_file
def test_a_file_is_called_as_the_one_requirement_that_it_is_for(file):
    (key,) = load_scenario(file).file.requirements
    assert file.parent == SUITE / key.split("-")[0].lower()
    assert id_of(file) == key


@by_file
def test_a_file_opens_with_the_requirement_as_the_catalogue_has_it(file):
    requirement = catalogue()[id_of(file)]
    sources = ", ".join(requirement.sources)
    first, second, *_ = file.read_text().splitlines()
    assert first == f"# {requirement.id} {requirement.level} ({sources})"
    assert second == f"# {requirement.text}"


@by_file
def test_a_file_has_the_collector_under_test_and_otherwise_reference_nodes_and_peers(file):
    nodes = load_scenario(file).topology.nodes
    under_test = [node for node in nodes if node.collector is None and not node.serves]
    assert [node for node in under_test if node.peer is None]
    assert {node.collector for node in nodes} <= {None, REFERENCE}


@by_file
def test_a_file_looks_into_no_process_that_is_not_the_harness_s_own(file):
    scenario = load_scenario(file)
    nodes = {node.name: node for node in scenario.topology.nodes}
    for location, step in scenario.steps():
        if step.action in BLIND:
            written = scenario.document.value
            for part in (*location, step.action):
                written = written[part]
            node = nodes[written]
            if "own-sockets" in scenario.file.needs:
                continue  # it is for processes, and is left out where they are not to be seen
            assert node.peer is not None or node.collector == REFERENCE or node.serves


def test_the_shipped_suite_is_found_without_naming_it():
    checks = {case.requirement for case in library_cases()}
    assert load_suite(catalogue=catalogue()).covered == checks | {id_of(file) for file in FILES}


def test_case_names_are_the_same_wherever_the_suite_lies(tmp_path):
    (tmp_path / "dsp").mkdir()
    (tmp_path / "dsp/one.scenario.yaml").write_text(scenario_of("DSP-004"))
    (case,) = load_suite(tmp_path, catalogue=catalogue()).cases["DSP-004"]
    assert case.name == "dsp/one.scenario.yaml::something about DSP-004"


def test_a_scenario_for_two_requirements_is_a_case_of_both(tmp_path):
    (tmp_path / "two.scenario.yaml").write_text(scenario_of("DSP-004, ISO-002"))
    suite = load_suite(tmp_path, catalogue=catalogue())
    assert suite.covered == {"DSP-004", "ISO-002"}
    assert suite.cases["DSP-004"][0].case is suite.cases["ISO-002"][0].case


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (scenario_of("DSP-999"), "names DSP-999: no such requirement"),
        (re.sub("requirements.*\n", "", scenario_of("DSP-004")), "names no requirement"),
    ],
)
def test_a_scenario_that_proves_nothing_known_is_refused(tmp_path, text, complaint):
    (tmp_path / "odd.scenario.yaml").write_text(text)
    with pytest.raises(InternalFault, match=complaint):
        load_suite(tmp_path, catalogue=catalogue())


def test_a_broken_scenario_is_told_with_its_place(tmp_path):
    (tmp_path / "odd.scenario.yaml").write_text(scenario_of("DSP-004").replace("list:", "lst:"))
    with pytest.raises(InvalidInput, match=r"odd\.scenario\.yaml:6:"):
        load_suite(tmp_path, catalogue=catalogue())
