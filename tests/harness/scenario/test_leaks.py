"""On a mesh that is used again, nothing of a case is seen by the next.

A case dirties all that a case can; then the same mesh is looked at by one that expects it clean.
The run is shuffled, so both come first.
"""

from __future__ import annotations

from collector_harness.events import MeshStarted

MESH = """\
topology:
  defaults: {namespaces: [shop]}
  nodes:
    hub: {}
    a: {probe: [shop], serves: {shop: ["leaky_counter.py:Counter"]}}
    b: {probe: [shop]}
  links: [hub -> a, hub -> b]
"""

DIRTY = """\
  - register: {namespace: shop, service: Left, methods: [Behind]}
    via: hub
  - connect: {node: b, collector_id: stranger, namespaces: [shop]}
    via: a
  - dispatch: shop/conformance.Probe.Count
    via: hub
    target: b
    input: key
  - dispatch: shop/Counter.More
    via: hub
    input: {}
  - fault: {kill: b}
    steps:
      - dispatch: shop/conformance.Probe.WhoAmI
        via: hub
        target: b
        expect: {status: {$not: OK}}
"""
CLEAN = """\
  - lookup: shop/Left
    via: hub
    expect: {status: NOT_FOUND}
  - observe: a
    expect: {connections: [{collector_id: hub}], executions: {$len: 0}}
  - dispatch: shop/conformance.Probe.Count
    via: hub
    target: b
    input: key
    expect: {output: 1, handled_by: b}
  - dispatch: shop/Counter.More
    via: hub
    input: {}
    expect: {output: 1, handled_by: a}
"""
HANDLER = """\
class Counter:
    def __init__(self):
        self.calls = 0

    def More(self, value, context):
        self.calls += 1
        return self.calls
"""


def test_no_case_sees_what_another_left(run_all, tmp_path, monkeypatch) -> None:
    (tmp_path / "leaky_counter.py").write_text(HANDLER)
    mesh = MESH.replace("leaky_counter.py", str(tmp_path / "leaky_counter.py"))
    # What kills a node takes its mesh out of use; the others give theirs back.
    calm = DIRTY[: DIRTY.index("  - fault:")]

    def cases(steps: str, title: str) -> str:
        rows = "".join(f"  c{index}: {{n: {index}}}\n" for index in range(4))
        return f"version: 1\nscenario: {title}\n{mesh}cases:\n{rows}steps:\n{steps}"

    ran = run_all(cases(calm, "dirty"), cases(CLEAN, "clean"), cases(DIRTY, "breaking"), jobs=2)

    assert ran.passed()
    assert len(ran.outcomes) == 12
    # And most of them had a mesh that somebody used before them.
    assert len(ran.of(MeshStarted)) < 12
