"""Every word of the language stands in a scenario of `scenarios/`, where a mesh runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from collector_harness.documents import load_file
from collector_harness.plugins import installed_steps
from collector_harness.scenario.matching import OWN_MATCHERS
from collector_harness.scenario.model import (
    ACTIONS,
    AGGREGATE,
    AnsweringStep,
    BlockStep,
    Fault,
    Line,
    Peer,
    ScenarioFile,
    StepBase,
)
from collector_harness.scenario.values import MADE, ROOTS
from collector_harness.topology.service_spec import ReadinessSpec, ServiceSpec
from collector_harness.topology.spec import NodeSpec, ShapeSpec

ROOT = Path(__file__).parents[2] / "scenarios"

ELSEWHERE = {
    "a key of a node: address": "tests/harness/launchers",
    "a key of a service: address": "tests/harness/services",
}
"""What no suite can say that runs by itself, as nothing runs before it; and where it is shown."""


def said_in(value: object) -> Iterator[str]:
    """Yields every key and text of a document, and `${root` for each path in it."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from said_in(key)
            yield from said_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from said_in(item)
    elif isinstance(value, str):
        yield value
        yield from (f"${{{root}" for root in re.findall(r"\$\{([a-z]+)", value))


def said_of(document: Mapping[str, Any]) -> Iterator[str]:
    """Yields the keys of what a document starts, each with what it is a key of."""
    topology = document.get("topology", document)
    if not isinstance(topology, Mapping):  # the name of a file, which is read by itself
        topology = {}
    started = {
        "a node": [*topology.get("nodes", {}).values(), topology.get("defaults")],
        "a service": [
            *document.get("services", {}).values(),
            *[each.get("ready") for each in document.get("services", {}).values()],
        ],
    }
    for what, parts in started.items():
        yield from (f"a key of {what}: {key}" for part in parts if part for key in part)


@pytest.fixture(scope="module")
def said() -> set[str]:
    """All that the scenarios say: keys, texts, and roots of paths."""
    folders = {file.parent for file in ROOT.rglob("*.scenario.yaml")}
    files = [file for folder in folders for file in folder.glob("*.yaml")]
    documents: list[Any] = [load_file(file).value for file in files]
    return {word for document in documents for word in (*said_in(document), *said_of(document))}


def words() -> Iterator[tuple[str, str]]:
    """Yields each word with what it is."""
    brought = {step.name for step in installed_steps()}
    kinds = [kind for name, kind in ACTIONS.items() if name not in brought]
    yield from (("an action", kind.action) for kind in kinds)
    models = {
        "a key of a scenario": [ScenarioFile],
        "a key of steps": [StepBase, AnsweringStep, BlockStep, *kinds],
        "a line of a script": [Line],
        "a fault": [Fault],
        "a key of a node": [NodeSpec],
        "a key of a service": [ServiceSpec, ReadinessSpec],
        "a key of a peer": [Peer],
        "a shape": [ShapeSpec],
    }
    for what, classes in models.items():
        for model in classes:
            for name, field in model.model_fields.items():
                word = field.alias or name
                exact = what in ("a key of a node", "a key of a service")
                yield what, f"{what}: {word}" if exact else word
    yield from (("of many answers", name) for name in AGGREGATE)
    yield from (("a matcher", name) for name in OWN_MATCHERS)
    yield from (("a value that is made", name) for name in MADE)
    yield from (("a path", f"${{{root}") for root in ROOTS)
    for behaviour in ("recording", "silent", "slow", "lying"):
        yield "a behaviour", behaviour
    for promise in ("exactly_once", "at_most_once", "at_least_once"):
        yield "a promise", promise
    for isolation in ("shared", "fresh"):
        yield "an isolation", isolation


WORDS = sorted(set(words()))


@pytest.mark.parametrize(
    ("what", "word"),
    [each for each in WORDS if each[1] not in ELSEWHERE],
    ids=lambda text: text,
)
def test_a_scenario_says_it(said: set[str], what: str, word: str) -> None:
    assert word in said, f"{what}, and no scenario has it"


def test_there_is_nothing_elsewhere_that_is_here(said: set[str]) -> None:
    assert not said & set(ELSEWHERE)
    assert set(ELSEWHERE) <= {word for _, word in WORDS}
