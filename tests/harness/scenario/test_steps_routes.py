"""`routes` makes every call that a mesh can be asked for, and finds what the model forbids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector_harness.errors import InvalidInput
from collector_harness.events import Outcome
from collector_harness.scenario.loading import parse_scenario
from collector_harness.topology.routing import routes

Run = Callable[..., Any]
Write = Callable[..., str]

RANDOM = """\
version: 1
scenario: t
topology:
  shape: {{random: 5, seed: {seed}, degree: 2}}
  defaults: {{namespaces: [x, y, z], probe: [x, y, z]}}
steps:
  - routes: all
    expect: {{calls: {calls}}}
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_random_mesh_routes_as_the_model_says(run_all: Run, seed: int) -> None:
    text = RANDOM.format(seed=seed, calls=90)
    ran = run_all(text)
    assert ran.passed()
    wanted = {
        (route.via, route.namespace, route.target or "")
        for route in routes(parse_scenario(text).topology)
    }
    made = {
        (call.node, call.request["namespace"], call.request.get("target_collector_id", ""))
        for call in ran.calls
    }
    assert made == wanted
    assert {call.status for call in ran.calls} == {"OK", "NOT_FOUND"}


def test_only_the_namespaces_that_are_chosen_are_called(run_all: Run, shop: Write) -> None:
    steps = """\
    - {routes: {namespaces: ["${case.one}"]}, expect: {calls: 12, wrong: []}}
    - {routes: {}, expect: {calls: 12}, save: {n: calls}}
    - {check: {"${n}": 12}}
    """
    assert run_all(shop(steps, rest="cases: {c: {one: shop}}\n")).passed()


def test_a_call_that_the_model_does_not_allow_is_told(run_all: Run, shop: Write) -> None:
    """A connection that is not in the topology opens ways that the model knows nothing of."""
    steps = """\
    - connect: {node: b, namespaces: [shop]}
      via: a
    - dispatch: shop/conformance.Probe.WhoAmI
      via: a
      target: b
      eventually: 5s
    - routes: all
    """
    ran = run_all(shop(steps))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert ran.failure.step == "3: routes"
    assert ran.failure.position.text == "- routes: all"
    assert ran.failure.answer["wrong"] == [
        {
            "via": "a",
            "namespace": "shop",
            "target": "b",
            "executors": [],
            "status": "OK",
            "message": "OK",
            "handled_by": "b",
            "output": "b",
        }
    ]


def test_a_mesh_that_does_not_route_is_wrong_everywhere(
    run_all: Run, alone: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A collector of another id than its node says who it is: the model expects its name."""
    (tmp_path / "renamed_collector.py").write_text(
        "from dataclasses import replace\n"
        "from collector_reference import Collector\n"
        "def make(settings):\n"
        "    return Collector(replace(settings, collector_id='impostor'))\n"
    )
    monkeypatch.chdir(tmp_path)
    from collector_harness.targets import parse_target

    ran = run_all(
        alone("- {routes: all, expect: {calls: 2, wrong: {$len: 2}}}\n"),
        target=parse_target("python:renamed_collector:make"),
    )
    assert ran.passed()


def test_a_namespace_that_no_node_has_is_told_with_its_place(shop: Write) -> None:
    with pytest.raises(InvalidInput, match="no node has the namespace 'shpo'") as caught:
        parse_scenario(shop("- routes: {namespaces: [shpo]}\n"))
    (problem,) = caught.value.problems
    assert problem.hint == "did you mean 'shop'?"
    assert problem.position is not None
    assert problem.position.text == "- routes: {namespaces: [shpo]}"


def test_another_word_than_all_is_refused(shop: Write) -> None:
    with pytest.raises(InvalidInput, match="'some' is not a choice of routes"):
        parse_scenario(shop("- routes: some\n"))
