"""A scenario file becomes cases with ids, positions and everything that an engine needs."""

from __future__ import annotations

import gc
import weakref
from datetime import timedelta
from pathlib import Path

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import load_scenario, parse_scenario
from collector_harness.scenario.model import (
    BlockStep,
    DispatchStep,
    MeasureStep,
    MethodName,
    TogetherStep,
)
from collector_harness.scenario.values import Template

TEXT = """\
version: 1
scenario: a title
requirements: [DSP-004]
topology:
  nodes: {hub: {namespaces: [shop]}, a: {probe: [shop]}}
  links: [hub -> a]
defaults: {via: hub}
cases:
  known: {method: Echo, limit: 1s}
  unknown: {method: Nope, limit: 2s}
steps:
  - dispatch: shop/Probe.${case.method}
    deadline: ${case.limit}
    eventually: 3s
    expect: {status: OK}
    save: {winner: handled_by}
  - steps:
      - measure: a
        steps:
          - dispatch: {namespace: shop, service: Probe, method: "${winner}"}
            expect:
              output: 7
  - together:
      - validate: shop/Probe.Echo
after:
  - list: ""
"""


def test_each_row_of_cases_is_a_case_with_an_id() -> None:
    scenario = parse_scenario(TEXT, "dir/x.scenario.yaml")
    assert [case.id for case in scenario.cases] == [
        "dir/x.scenario.yaml::a title[known]",
        "dir/x.scenario.yaml::a title[unknown]",
    ]
    assert [case.values["method"] for case in scenario.cases] == ["Echo", "Nope"]


def test_a_scenario_that_nobody_needs_is_gone_at_once() -> None:
    """Thousands of them, read to be chosen from, leave no work to the garbage collector."""
    scenario = parse_scenario(TEXT)
    kept, case = weakref.ref(scenario), weakref.ref(scenario.cases[0])
    gc.disable()
    try:
        del scenario
        assert kept() is None
        assert case() is None
    finally:
        gc.enable()


def test_equal_topologies_of_many_scenarios_are_one_value() -> None:
    """A mesh is found by its topology, and looking for the same one takes no time."""
    other = TEXT.replace("a title", "another title")
    assert parse_scenario(TEXT).topology is parse_scenario(other).topology
    assert parse_scenario(TEXT).topology != parse_scenario(TEXT.replace("hub", "out")).topology


def test_a_scenario_without_cases_is_one_case(tmp_path: Path) -> None:
    path = tmp_path / "one.scenario.yaml"
    path.write_text(
        "version: 1\nscenario: alone\ntopology: {nodes: {hub: {}}}\nsteps: [{observe: hub}]\n"
    )
    scenario = load_scenario(path, "one.scenario.yaml")
    (case,) = scenario.cases
    assert (case.id, case.name, dict(case.values)) == ("one.scenario.yaml::alone", None, {})
    assert scenario.timeout == timedelta(seconds=60)
    assert scenario.deadline == timedelta(seconds=5)
    assert scenario.file.isolation == "case"


def test_terms_are_parsed_once_and_paths_stay_open() -> None:
    step = parse_scenario(TEXT).file.steps[0]
    assert isinstance(step, DispatchStep)
    assert step.method == MethodName(namespace="shop", service="Probe", method="${case.method}")
    assert isinstance(step.deadline, Template)
    assert step.eventually is not None
    assert step.eventually.within == timedelta(seconds=3)
    assert step.save is not None
    assert step.save["winner"].root == "handled_by"


def test_every_step_is_known_by_its_place() -> None:
    scenario = parse_scenario(TEXT, "x")
    places = {location: type(step) for location, step in scenario.steps()}
    assert list(places) == [
        ("steps", 0),
        ("steps", 1),
        ("steps", 1, "steps", 0),
        ("steps", 1, "steps", 0, "steps", 0),
        ("steps", 2),
        ("steps", 2, "together", 0),
        ("after", 0),
    ]
    assert places[("steps", 1)] is BlockStep
    assert places[("steps", 1, "steps", 0)] is MeasureStep
    assert places[("steps", 2)] is TogetherStep


def test_a_place_in_a_step_is_told_with_its_line() -> None:
    scenario = parse_scenario(TEXT, "x")
    steps = dict(scenario.steps())
    inner = steps[("steps", 1, "steps", 0, "steps", 0)]
    assert str(scenario.position(inner)) == "x:20:13"
    assert str(scenario.position(inner, "expect", "output")) == "x:22:23"
    assert str(scenario.position(inner, "expect", "output", key=True)) == "x:22:15"
    assert scenario.position(inner, "expect", "output").text == "              output: 7"


def test_problems_of_the_model_the_topology_and_the_names_come_together() -> None:
    broken = TEXT.replace("hub -> a]", "hub -> b]").replace("eventually: 3s", "eventualy: 3s")
    broken = broken.replace('"${winner}"', '"${winer}"')
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(broken)
    told = [
        (problem.position.line, problem.message)
        for problem in caught.value.problems
        if problem.position
    ]
    assert told == [
        (6, "link 'hub -> b' leads to 'b', which is not a node"),
        (14, "unknown key 'eventualy'"),
        (20, "no step before this one saves 'winer'"),
    ]


def test_what_a_definition_saves_is_known_after_its_use() -> None:
    text = """\
version: 1
scenario: x
topology: {nodes: {hub: {}}}
definitions:
  log in:
    parameters: {user: guest}
    steps:
      - steps: [{call: a.B/C, input: "${with.user}", save: {token: output}}]
  outer: {steps: [{use: log in}]}
steps:
  - use: outer
  - call: a.B/C
    input: ${token}
"""
    parse_scenario(text)
    with pytest.raises(InvalidInput, match="saves 'token'"):
        parse_scenario(text.replace("use: outer", "observe: hub"))


def test_captures_of_steps_at_the_same_time_are_known_afterwards() -> None:
    parse_scenario("""\
version: 1
scenario: x
topology: {nodes: {hub: {}}}
steps:
  - together:
      - {call: a.B/C, save: {one: output}}
      - {call: a.B/C, save: {two: output}}
  - call: a.B/C
    input: ["${one}", "${two}"]
""")


def test_a_misspelt_key_is_told_before_what_it_leaves_out() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(
            "version: 1\nscenario: t\ntopology: {nodes: {a: {}, b: {}}, links: [a -> b]}\n"
            "steps:\n  - dispatch: shop/Probe.Echo\n    vai: a\n  - observe: c\n"
        )
    assert [problem.message for problem in caught.value.problems] == [
        "unknown key 'vai'",
        "this step does not say which node it calls",
        "there is no node 'c'",
    ]
