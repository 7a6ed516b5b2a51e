"""Named steps run wherever they are used, in this file or another, and fail at their own line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import load_scenario, parse_scenario

ALONE = "topology: {nodes: {only: {namespaces: [shop], probe: [shop]}}}\n"
HEAD = f"version: 1\nscenario: t\n{ALONE}"
COMMON = """\
version: 1
description: What several scenarios do.
definitions:
  ask:
    parameters: {note: null, answer: "${with.note}", status: OK}
    steps:
      - dispatch: shop/conformance.Probe.Echo
        input: ${with.note}
        expect: {status: "${with.status}", output: "${with.answer}"}
        save: {told: output}
  ask twice:
    parameters: {note: again}
    steps:
      - use: ask
        with: {note: "${with.note}"}
      - {use: ask, with: {note: "${with.note}", answer: {$len: {$gt: 1}}}}
""".replace(', answer: "${with.note}"', ", answer: {$any: true}")


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "shop").mkdir()

    def load(text: str, **others: str) -> Any:
        for name, other in others.items():
            (tmp_path / name.replace("__", "/")).with_suffix(".yaml").write_text(other)
        path = tmp_path / "shop" / "one.scenario.yaml"
        path.write_text(HEAD + text)
        return load_scenario(path, "one.scenario.yaml")

    return load


def test_a_definition_gets_parameters_and_tells_what_it_saves(run_all: Any) -> None:
    ran = run_all(
        HEAD
        + """\
definitions:
  ask:
    parameters: {note: nothing, answer: {$len: 7}}
    steps:
      - dispatch: shop/conformance.Probe.Echo
        input: {note: "${with.note}"}
        expect: {output: {note: "${with.answer}"}}
        save: {told: output.note}
steps:
  - use: ask
  - check: {"${told}": nothing}
  - use: ask
    foreach: [eins, zwei]
    with: {note: "${item}", answer: "${item}"}
  - check: {"${told}": zwei}
"""
    )
    assert ran.passed()
    assert [call.request["input"] for call in ran.calls] == [
        {"note": "nothing"},
        {"note": "eins"},
        {"note": "zwei"},
    ]


def test_a_value_of_an_answer_stays_data_as_a_parameter(run_all: Any) -> None:
    """What a target sends looks like a matcher, and is compared as it is."""
    steps = """\
definitions:
  same:
    parameters: {want: null}
    steps:
      - dispatch: shop/conformance.Probe.Echo
        input: other
        expect: {output: {$regex: "${with.want}"}}
steps:
  - {dispatch: shop/conformance.Probe.Echo, input: ".*", save: {odd: output}}
  - {use: same, with: {want: WANT}}
"""
    assert run_all(HEAD + steps.replace("WANT", '".*"')).passed()
    ran = run_all(HEAD + steps.replace("WANT", '"${odd}"'))
    assert [each.actual for each in ran.failure.mismatches] == ['"other"']


def test_a_definition_of_another_file_is_used_and_uses_others(run_all: Any, load: Any) -> None:
    text = "steps:\n  - {use: ../common.yaml#ask twice, with: {note: hi}}\n"
    scenario = load(text + '  - check: {"${told}": hi}\n', common=COMMON)
    assert run_all(*scenario.cases).passed()


def test_a_failure_inside_a_definition_is_told_where_that_stands(run_all: Any, load: Any) -> None:
    text = "steps:\n  - {use: ../common.yaml#ask, with: {note: hi, answer: ho}}\n"
    failure = run_all(*load(text, common=COMMON).cases).failure
    assert failure.step == "1.1: dispatch shop/conformance.Probe.Echo"
    assert str(failure.position) == "../common.yaml:9:44"
    assert [(each.path, each.expected) for each in failure.mismatches] == [("output", '"ho"')]


@pytest.mark.parametrize(
    ("use", "told", "hint"),
    [
        ("ask", "there is no definition 'ask'", None),
        ("../common.yaml#aks", "there is no definition '../common.yaml#aks'", "common.yaml#ask'"),
        ("../comon.yaml#ask", "there is no file '../comon.yaml'", "did you mean 'common.yaml'"),
        ("../../other.yaml#ask", "'../../other.yaml' is outside of the suite", "stands below"),
        ("/etc/passwd#root", "'/etc/passwd' is outside of the suite", "stands below"),
        ("../common.yaml#ask", "needs the parameter 'note'", "write with: {note: ...}"),
    ],
)
def test_a_wrong_use_is_told_when_the_file_is_read(
    load: Any, use: str, told: str, hint: str | None
) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(f"steps:\n  - use: {use}\n", common=COMMON)
    (problem,) = caught.value.problems
    assert told in problem.message
    assert (problem.position and problem.position.line) == 5
    assert hint is None or hint in (problem.hint or "")


def test_a_link_out_of_the_suite_is_not_followed(load: Any, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.yaml"
    outside.write_text(COMMON)
    (tmp_path / "linked.yaml").symlink_to(outside)
    with pytest.raises(InvalidInput, match="outside of the suite"):
        load("steps:\n  - {use: ../linked.yaml#ask, with: {note: a}}\n")


def test_problems_of_the_other_file_are_told_at_its_lines(load: Any) -> None:
    broken = COMMON.replace("        input:", "        imput:")
    with pytest.raises(InvalidInput) as caught:
        load("steps:\n  - {use: ../common.yaml#ask, with: {note: a}}\n", common=broken)
    assert [str(problem.position) for problem in caught.value.problems] == ["../common.yaml:8:9"]
    unknown = COMMON.replace("${with.note}\n        expect", "${with.nott}\n        expect")
    with pytest.raises(InvalidInput, match="did you mean 'note'") as caught:
        load("steps:\n  - {use: ../common.yaml#ask, with: {note: a}}\n", common=unknown)
    assert str(caught.value.problems[0].position) == "../common.yaml:8:16"


@pytest.mark.parametrize(
    ("definitions", "told"),
    [
        ("{a: {steps: [{use: a}]}}", "'a' uses itself: a -> a"),
        ("{a: {steps: [{use: b}]}, b: {steps: [{use: a}]}}", "'a' uses itself: a -> b -> a"),
        ("{a: {steps: [{steps: [{use: a}]}]}}", "'a' uses itself"),
        (
            "{"
            + ", ".join(f"d{at}: {{steps: [{{use: d{at + 1}}}]}}" for at in range(25))
            + ", d25: {steps: [{list: shop}]}}",
            "'d0' leads more than 20 definitions deep",
        ),
    ],
)
def test_definitions_without_an_end_are_refused(definitions: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(f"{HEAD}definitions: {definitions}\nsteps: [{{list: shop}}]\n")
    assert told in caught.value.problems[0].message


def test_files_that_use_each_other_are_read_once_each(run_all: Any, load: Any) -> None:
    other = (
        "version: 1\ndefinitions: {back: {steps: [{use: 'common.yaml#ask', with: {note: x}}]}}\n"
    )
    common = COMMON + "  there: {steps: [{use: 'other.yaml#back'}]}\n"
    scenario = load("steps: [{use: '../common.yaml#there'}]\n", common=common, other=other)
    assert run_all(*scenario.cases).passed()


def test_a_cycle_over_files_is_refused(load: Any) -> None:
    one = "version: 1\ndefinitions: {a: {steps: [{use: 'two.yaml#b'}]}}\n"
    two = "version: 1\ndefinitions: {b: {steps: [{use: 'one.yaml#a'}]}}\n"
    with pytest.raises(InvalidInput, match=r"'a' uses itself: a -> two\.yaml#b -> one\.yaml#a"):
        load("steps: [{use: '../one.yaml#a'}]\n", one=one, two=two)
