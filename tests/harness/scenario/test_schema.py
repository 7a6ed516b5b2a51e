"""The schema that editors use: it accepts every scenario there is, and refuses a hundred mistakes.

A mistake is a change to a scenario that is right: a place, and what stands there instead.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from collector_harness.documents import load
from collector_harness.errors import InvalidInput
from collector_harness.scenario.loading import parse_scenario
from collector_harness.scenario.schema import scenario_schema

ROOT = Path(__file__).parents[3]
FILES = sorted(
    path
    for folder in ("scenarios", "tests")
    for path in (ROOT / folder).rglob("*.scenario.yaml")
    if "node_modules" not in path.parts
)
GONE = object()

RIGHT = """\
version: 1
scenario: everything is in its place
requirements: [DSP-004]
needs: [probe]
tags: [quick]
isolation: case
timeout: 10s
defaults: {via: hub, deadline: 2s, metadata: {tenant: t1}}
topology:
  defaults: {namespaces: [shop]}
  nodes:
    hub: {namespaces: [shop], validation: true}
    a: {probe: [shop], environment: {LEVEL: 7}}
  links: [hub -> a]
services:
  web: {command: "web ${port}", protocol: http, ready: {port: true}}
peers:
  spy: {behaviour: recording, namespaces: [shop]}
secrets: {token: API_TOKEN}
definitions:
  ask: {parameters: {note: null}, steps: [{dispatch: shop/conformance.Probe.WhoAmI}]}
cases:
  one: {status: OK}
before:
  - validate: shop/conformance.Probe.Echo
steps:
  - name: a call
    dispatch: shop/conformance.Probe.Echo
    via: hub
    input: {note: hello}
    target: a
    metadata: {tenant: t2}
    deadline: 1s
    eventually: {within: 3s, backoff: 20ms}
    expect: {status: OK, output: {note: {$regex: h.*}}}
    save: {note: output.note}
  - parallel: 3
    serve: shop/conformance.Probe.WhoAmI
    via: a
    expect: {all: {status: OK}, p95: {$lt: 5s}}
  - fault: {latency: {link: hub -> a, delay: 20ms}}
    steps: [{list: shop}]
  - stream: grpc.health.v1.Health/Watch
    script: [{send: {service: ""}}, {receive: {status: SERVING}, within: 1s}, {cancel: true}]
  - http: {method: GET, path: /}
    via: web
    expect: {status: 200}
  - sql: select 1
    via: sqlite:x.db
    parameters: {id: 1}
  - use: ask
    with: {note: hello}
  - observe: a
    expect: {executions: {$len: {$ge: 0}}}
  - connect: a
  - register: {namespace: shop, service: Cart, methods: [Add]}
  - together: [{list: shop}, {list: shop}]
  - measure: a
    steps: [{list: shop}]
  - tcp: a
    send: hello
  - stop: a
  - start: a
  - check: {"${seed}": {$ge: 0}}
"""

# Where a value is replaced: the path, and each wrong value.
WRONG: dict[str, list[object]] = {
    "version": [2, "1", None, GONE, True],
    "scenario": ["", 7, None, GONE, "x" * 201],
    "requirements": ["DSP-004", [7], ["dsp"], {"DSP-004": True}],
    "needs": ["probe", ["prob"], [1]],
    "tags": ["quick", [""], [7], ["two words"]],
    "isolation": ["none", True, 1, ["case"]],
    "timeout": [10, "soon", None, []],
    "defaults": [[], "hub", {"vai": "hub"}],
    "defaults.via": [7, ["hub"]],
    "defaults.metadata": [["tenant"], "t1"],
    "topology": [GONE, None, [], "star:3", {"node": {}}],
    "topology.nodes": [[], "hub", ["hub"]],
    "topology.nodes.hub": [[], "x", {"namespace": ["shop"]}],
    "topology.nodes.hub.namespaces": ["shop", [7], {"shop": True}],
    "topology.nodes.hub.validation": ["yes", 1, None],
    "topology.nodes.a.environment": [["LEVEL"], "LEVEL=7"],
    "topology.links": ["hub -> a", [7], [["hub", "a"]]],
    "services.web": [[], "web", {"comand": "web"}],
    "services.web.protocol": ["https", 1],
    "services.web.ready": ["port", [], {"prot": True}],
    "peers.spy": [[], 7, {"behavior": "recording"}],
    "peers.spy.behaviour": ["honest", 7],
    "secrets": [["token"], {"token": 7}, {"token": {"environ": "X"}}],
    "definitions.ask": [[], {"steps": [], "parameter": {}}, {"parameters": {}}],
    "cases": [{}, [], "one", {"one": 7}],
    "before": [{}, "x", [7]],
    "steps": [GONE, [], {}, "x", [[]]],
    "steps.0.dispatch": [7, [], None, {"namespace": "x", "servce": "y"}],
    "steps.0.dispach": ["shop/x.Y"],
    "steps.0.via": [7, []],
    "steps.0.target": [7, {}],
    "steps.0.metadata": ["x", []],
    "steps.0.deadline": [1, "soon", []],
    "steps.0.eventually": [3, [], {"backoff": "20ms"}, {"within": 3}],
    "steps.0.expect": ["OK", [], {"stauts": "OK"}, {"output": {"$regx": "h"}}],
    "steps.0.save": ["note", ["note"], {"note": 7}],
    "steps.0.inputt": [{}],
    "steps.0.name": [7, []],
    "steps.1.parallel": [0, -1, 100_001, 1.5, [], True],
    "steps.2.fault": ["kill", {"kil": "a"}, {"latency": {"delay": 20}}, {}],
    "steps.2.steps": [GONE, {}, []],
    "steps.3.script": [GONE, {}, "x", [{"sned": {}}], [{"cancel": 7}]],
    "steps.4.http": [7, {"path": "/"}, {"method": "GET", "pth": "/"}],
    "steps.5.parameters": [[], "id"],
    "steps.6.with": [[], "note"],
    "steps.7.observe": [7, []],
    "steps.8.connect": [7, [], {"nod": "a"}],
    "steps.9.register": ["shop", {"service": "x", "method": []}],
    "steps.10.together": [{}, "x"],
    "steps.13.stop": [7, []],
    "steps.15.check": [[], "x"],
}


def mistakes() -> list[Any]:
    return [
        pytest.param(path, wrong, id=f"{path}={'gone' if wrong is GONE else wrong}"[:70])
        for path, values in WRONG.items()
        for wrong in values
    ]


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft202012Validator(scenario_schema())


def changed(path: str, wrong: object) -> dict[str, Any]:
    document: Any = copy.deepcopy(load(RIGHT).value)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = document
    for step in way:
        place = place[step]
    if wrong is GONE:
        del place[last]
    else:
        place[last] = wrong
    return document


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in FILES])
def test_every_scenario_of_the_repository_is_accepted(path: Path, validator: Any) -> None:
    document = load(path.read_text(encoding="utf-8")).value
    assert [error.message for error in validator.iter_errors(document)] == []


def test_the_scenario_that_is_broken_below_is_right(validator: Any) -> None:
    assert parse_scenario(RIGHT).cases
    assert [error.message for error in validator.iter_errors(load(RIGHT).value)] == []


@pytest.mark.parametrize(("path", "wrong"), mistakes())
def test_a_mistake_is_refused_by_the_schema_as_it_is_by_the_program(
    path: str, wrong: object, validator: Any
) -> None:
    document = changed(path, wrong)

    assert not validator.is_valid(document)
    # JSON is YAML: what the schema refuses must be refused when it is run, too.
    with pytest.raises(InvalidInput):
        parse_scenario(json.dumps(document))


def test_there_are_more_than_a_hundred_mistakes() -> None:
    assert len(mistakes()) > 100
