"""The suite: each file stands for one requirement, cites it, and can be run from outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.suite import load_suite
from collector_harness.errors import InternalFault, InvalidInput
from collector_harness.scenario.loading import load_scenario
from collector_harness.topology.values import REFERENCE

SUITE = Path(__file__).parents[3] / "scenarios" / "conformance"
FILES = sorted(SUITE.rglob("*.scenario.yaml"))
STEPS = {"call", "check", "connect", "dispatch", "list", "lookup", "register", "serve"} | {
    "steps",
    "together",
    "validate",
}
"""Steps that need nothing of a collector but its port; `observe` looks into a process."""

FAMILIES = {"wir", "reg", "val", "loop", "con", "srv", "dsp", "iso"}

by_file = pytest.mark.parametrize("file", FILES, ids=lambda path: path.name.split(".")[0])


def scenario_of(key: str) -> str:
    return f"""
version: 1
scenario: something about {key}
requirements: [{key}]
topology: {{nodes: {{hub: {{namespaces: [shop]}}}}}}
steps: [{{list: shop}}]
"""


def test_there_are_twenty_requirements_from_eight_families():
    assert len(FILES) == 20
    assert {file.parent.name for file in FILES} == FAMILIES


@by_file
def test_a_file_is_called_as_the_one_requirement_that_it_is_for(file):
    (key,) = load_scenario(file).file.requirements
    assert file == SUITE / key.split("-")[0].lower() / f"{key}.scenario.yaml"


@by_file
def test_a_file_opens_with_the_requirement_as_the_catalogue_has_it(file):
    requirement = catalogue()[file.name.split(".")[0]]
    sources = ", ".join(requirement.sources)
    first, second, *_ = file.read_text().splitlines()
    assert first == f"# {requirement.id} {requirement.level} ({sources})"
    assert second == f"# {requirement.text}"


@by_file
def test_a_file_has_the_collector_under_test_once_and_honest_peers(file):
    nodes = load_scenario(file).topology.nodes
    assert [node.name for node in nodes if node.collector is None] == ["hub"]
    assert {node.collector for node in nodes} <= {None, REFERENCE}
    assert not any(node.serves for node in nodes)


@by_file
def test_a_file_uses_only_what_can_be_seen_on_the_port_and_what_can_be_run(file):
    scenario = load_scenario(file)
    assert {step.action for _, step in scenario.steps()} <= STEPS
    assert scenario.unsupported() == ()


def test_the_shipped_suite_is_found_without_naming_it():
    assert load_suite(catalogue=catalogue()).covered == {file.name.split(".")[0] for file in FILES}


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
