"""On a mesh that is used again, nothing of a case is seen by the next.

Cases dirty all that a case can, each in its way, and after each one looks that all is clean.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collector_harness.events import CaseFinished, MeshStarted, Outcome

# All are cases of one scenario, so that they have one topology and one plan for faults.
TEXT = """\
version: 1
scenario: a mesh is used again
topology:
  defaults: {namespaces: [shop]}
  nodes:
    hub: {MORE}
    a: {probe: [shop], serves: {shop: ["HANDLERS:Counter"]}}
    b: {probe: [shop]}
  links: [hub -> a, hub -> b]
services:
  stock: {python: "HANDLERS:stock", database: sqlite:stock.db, ready: {port: true, within: 60s}}
cases:
CASES
steps:
  - when: {"${case.does}": registers}
    register: {namespace: shop, service: Left, methods: [Behind]}
    via: hub
  - when: {"${case.does}": connects}
    connect: {node: b, collector_id: stranger, namespaces: [shop]}
    via: a
  - when: {"${case.does}": counts}
    steps:
      - {dispatch: shop/conformance.Probe.Count, via: hub, target: b, input: key}
      - {dispatch: shop/Counter.More, via: hub, input: {}}
  - when: {"${case.does}": speaks}
    dispatch: shop/conformance.Probe.Echo
    via: hub
    target: a
    input: {}
    metadata: {x-correlation-id: dirty-mark, tenant: dirty}
  - when: {"${case.does}": saves}
    serve: shop/conformance.Probe.WhoAmI
    via: a
    save: {left: output}
  - when: {"${case.does}": writes}
    sql: insert into stock (sku) values ('left')
    via: stock
  - name: it fails in the middle of a fault of a link
    when: {"${case.does}": loses}
    fault: {blackhole: hub -> b}
    steps:
      - dispatch: shop/conformance.Probe.WhoAmI
        via: hub
        target: b
        deadline: 100ms
        metadata: {x-correlation-id: dirty-mark}
  - name: it fails in the middle of a fault of an RPC, and of a stream
    when: {"${case.does}": fails}
    fault: {grpc: {node: a, rpc: grpc.health.v1.Health/*, status: UNAVAILABLE}}
    steps:
      - {call: grpc.health.v1.Health/Check, via: a}
  - when: {"${case.does}": breaks}
    fault: {kill: b}
    steps:
      - dispatch: shop/conformance.Probe.WhoAmI
        via: hub
        target: b
        expect: {status: {$not: OK}}
  - when: {"${case.does}": uses}
    check: {"${left}": a}
  - when: {"${case.does}": looks}
    steps:
      - lookup: shop/Left
        via: hub
        expect: {status: NOT_FOUND}
      - foreach: [a, b]
        observe: ${item}
        expect:
          connections: [{collector_id: hub}]
          executions: {$len: 0}
          loopback_calls: 0
          logs: {$not: {$contains: {$contains: dirty-mark}}}
      - observe: hub
        expect:
          connections: {$unordered: [{collector_id: a}, {collector_id: b}]}
          rpcs: {collector.CollectiveDispatcher/Dispatch: {$absent: true}}
          logs: {$not: {$contains: {$contains: dirty-mark}}}
      - dispatch: shop/conformance.Probe.Count
        via: hub
        target: b
        input: key
        expect: {output: 1, handled_by: b}
      - dispatch: shop/Counter.More
        via: hub
        input: {}
        expect: {output: 1, handled_by: a}
      - serve: shop/conformance.Probe.Context
        via: a
        expect: {output: {metadata: {tenant: {$absent: true}, x-correlation-id: {$absent: true}}}}
      - {call: grpc.health.v1.Health/Check, via: a}
      - sql: select * from stock
        via: stock
        expect: {rows: []}
"""
HANDLERS = '''\
import os
import sqlite3

import grpc


class Counter:
    def __init__(self):
        self.calls = 0

    def More(self, value, context):
        self.calls += 1
        return self.calls


def stock():
    """Keeps its table where it is there already: whoever wants it empty has to empty it."""
    with sqlite3.connect(os.environ["DATABASE_URL"].removeprefix("sqlite:///")) as database:
        database.execute("create table if not exists stock (sku text)")
    return grpc.aio.server()
'''
WELL = ("registers", "connects", "counts", "speaks", "saves", "writes", "breaks")
WRONG = {
    "loses": (Outcome.FAILED, "the expectation was not met"),
    "fails": (Outcome.FAILED, "the expectation was not met"),
    "uses": (Outcome.ERROR, "nothing was saved as 'left'"),
}


def scenario(folder: Path, *cases: str, more: str = "") -> str:
    (folder / "leaky_handlers.py").write_text(HANDLERS)
    rows = "".join(f"  c{index}: {{does: {does}}}\n" for index, does in enumerate(cases))
    text = TEXT.replace("HANDLERS", str(folder / "leaky_handlers.py"))
    return text.replace("CASES\n", rows).replace("{MORE}", f"{{{more}}}")


def meshes(ran: Any) -> int:
    return len(ran.of(MeshStarted))


@pytest.mark.parametrize("does", [each for each in WELL if each != "breaks"])
def test_what_a_case_did_is_not_seen_by_the_next(run_all, tmp_path, does: str) -> None:
    ran = run_all(scenario(tmp_path, does, "looks", does, "looks"), jobs=1)
    assert ran.passed()
    assert meshes(ran) == 1, "it is the mesh that was used before"


@pytest.mark.parametrize("does", WRONG)
def test_nor_is_what_a_case_did_that_went_wrong(run_all, tmp_path, does: str) -> None:
    outcome, message = WRONG[does]
    ran = run_all(scenario(tmp_path, "saves", does, "looks", does, "looks"), jobs=1)
    ended = ran.of(CaseFinished)
    assert [each.outcome for each in ended] == [
        Outcome.PASSED,
        outcome,
        Outcome.PASSED,
        outcome,
        Outcome.PASSED,
    ]
    assert ended[1].failure is not None
    assert ended[1].failure.message.startswith(message)


def test_a_failed_expectation_costs_no_mesh(run_all, tmp_path) -> None:
    ran = run_all(scenario(tmp_path, "loses", "looks", "fails", "looks"), jobs=1)
    assert meshes(ran) == 1


def test_all_of_it_side_by_side_and_shuffled_by_turns(run_all, tmp_path) -> None:
    cases = [each for does in WELL for each in (does, "looks")]
    ran = run_all(scenario(tmp_path, *cases), jobs=2)
    assert ran.passed()
    assert len(ran.outcomes) == len(cases)
    # Whoever kills a node takes the mesh out of use; most had one that somebody used before them.
    assert meshes(ran) < len(cases) / 2


def test_metrics_that_only_grow_are_those_of_a_mesh_of_its_own(run_all, tmp_path) -> None:
    more = 'environment: {COLLECTOR_METRICS: "127.0.0.1:0"}'
    text = scenario(tmp_path, "speaks", "looks", more=more)
    dispatched = 'collector_calls_total{rpc="/collector.CollectiveDispatcher/Dispatch",status="OK"}'
    text = text.replace(
        '  - when: {"${case.does}": looks}\n    steps:\n',
        '  - when: {"${case.does}": looks}\n    steps:\n      - observe: hub\n'
        f"        expect: {{metrics: {{'{dispatched}': {{$absent: true}}}}}}\n",
    )
    ran = run_all(text, jobs=1)
    assert ran.passed()
    assert meshes(ran) == 2
